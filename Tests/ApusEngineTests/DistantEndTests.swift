@testable import ApusEngine
@testable import ApusSystem
@testable import ApusWire
import CApus
import Glibc
import TestSupport
import Testing

/// A worker in another rank's own process that is given up: nothing can end what it is at.
@Suite(.serialized) struct DistantEndTests {
  /// The engine knows only what it was told, and the worker may be further by now.
  @Test func whatWasBegunMeanwhileIsNotBegunAgain() async throws {
    let rank = try OtherRank()
    var configuration = EngineConfiguration(
      workers: 1, command: SpawnRequest(path: "", arguments: [], environment: []))
    configuration.distant = rank
    let engine = try PoolEngine(configuration)
    try NativeThread.start(name: "rank") { rank.serve() }
    defer {
      rank.tasks.releaseAll()
      engine.shutDown(within: 0)
      rank.stop()
    }
    var options = EngineJob.Options()
    (options.chunking, options.timeLimit, options.grace) = (.fixed(3), 200_000_000, 20_000_000)
    let job = EngineJob(
      FunctionDefinition(bytes: ByteBuffer(), carriesContext: false, strides: (8, 8)), options: options)
    let bytes = ByteBuffer()
    for number in 0..<3 { bytes.append(number) }
    let isOver = NativeSemaphore()
    engine.add(job)
    engine.give(
      InputBatch(raw: bytes.baseAddress, stride: 8, count: 3, owner: bytes), base: 0, to: job, isLast: true)
    try NativeThread.start(name: "caller") {
      var inbox = EngineJob.Inbox()
      while !engine.isComplete(job) {
        engine.wait(for: job)
        engine.collect(job, into: &inbox)
      }
      isOver.signal()
    }

    // It is at the first, and that is the last thing that is heard of it.
    try #require(await eventually { rank.hasToldOfATask })
    rank.isHeard = false
    rank.tasks.release(0)
    #expect(await eventually { rank.wasKilled })
    rank.isHeard = true
    rank.tasks.release(1)
    rank.tasks.release(2)
    #expect(isOver.wait(milliseconds: hung * 1000))
    // The third was not begun, and another worker takes it.
    #expect(rank.tasks.begun == [0: 1, 1: 1, 2: 1])
  }
}

extension DistantEndTests {
  /// A worker that passes what was taken back, and is looked at before it has closed the record of its run.
  @Test func whatWasTakenBackIsNotTakenForDone() async throws {
    let rank = try OtherRank()
    var configuration = EngineConfiguration(
      workers: 1, command: SpawnRequest(path: "", arguments: [], environment: []))
    configuration.distant = rank
    let engine = try PoolEngine(configuration)
    try NativeThread.start(name: "rank") { rank.serve() }
    rank.tasks.holdsRuns = true
    defer {
      rank.tasks.holdsRuns = false
      rank.tasks.releaseAll()
      engine.shutDown(within: 0)
      rank.stop()
    }
    var options = EngineJob.Options()
    (options.chunking, options.timeLimit, options.grace) = (.fixed(3), 200_000_000, 500_000_000_000)
    let values = ByteBuffer()
    for _ in 0..<3 { values.append(-1) }
    let job = EngineJob(
      FunctionDefinition(bytes: ByteBuffer(), carriesContext: false, strides: (8, 8)), options: options,
      destination: values.baseAddress, destinationOwner: values)
    let bytes = ByteBuffer()
    for number in 0..<3 { bytes.append(number) }
    let isOver = NativeSemaphore()
    engine.add(job)
    engine.give(
      InputBatch(raw: bytes.baseAddress, stride: 8, count: 3, owner: bytes), base: 0, to: job, isLast: true)
    try NativeThread.start(name: "caller") {
      var inbox = EngineJob.Inbox()
      while !engine.isComplete(job) {
        engine.wait(for: job)
        engine.collect(job, into: &inbox)
      }
      isOver.signal()
    }

    // It is past its limit: what waits behind it is asked back. The answer is held up until the worker has passed that.
    try #require(await eventually { rank.hasToldOfATask })
    rank.isHeard = false
    try #require(await eventually { rank.wasAskedBack })
    rank.tasks.release(0)
    try #require(await eventually { rank.tasks.isHeldInRun })
    usleep(20_000)  // it is looked at in between
    rank.isHeard = true
    usleep(20_000)
    rank.tasks.holdsRuns = false
    rank.tasks.release(1)
    rank.tasks.release(2)
    #expect(isOver.wait(milliseconds: hung * 1000))
    #expect(rank.tasks.begun == [0: 1, 1: 1, 2: 1])
    let numbers = values.bytes.bindMemory(to: Int.self)
    #expect(numbers[1] == 1 && numbers[2] == 2)
  }
}

/// How often each task was begun; each ends when it is released.
private final class HeldTasks: ElementRunner, Sendable {
  private let state = Locked(
    (begun: [Int: Int](), released: Set<Int>(), holdsRuns: false, isHeldInRun: false))
  var begun: [Int: Int] { state.withLock { $0.begun } }
  /// Whether a run that ends early is held before it returns.
  var holdsRuns: Bool {
    get { state.withLock { $0.holdsRuns } }
    set { state.withLock { $0.holdsRuns = newValue } }
  }
  var isHeldInRun: Bool { state.withLock { $0.isHeldInRun } }
  func release(_ task: Int) { state.withLock { _ = $0.released.insert(task) } }
  func releaseAll() { for task in 0..<3 { release(task) } }

  var strides: (input: Int, output: Int)? { (8, 8) }
  var code: FunctionCode { FunctionCode() }
  func run(_ input: ElementInput, output: WorkerLoop) throws {}
  func run(_ run: _RawRun) throws {
    var count = 0
    defer {
      while count < run.count,
        state.withLock({ state in
          state.isHeldInRun = state.holdsRuns
          return state.holdsRuns
        })
      { usleep(100) }
    }
    run.forEach { (task: Int) -> Int in
      count += 1
      state.withLock { $0.begun[task, default: 0] += 1 }
      while !state.withLock({ $0.released.contains(task) }) { usleep(100) }
      return task
    }
  }
}

/// What a rank is for its engine, with one worker on a thread. What it says can be held up.
private final class OtherRank: DistantWorkers, @unchecked Sendable {
  // Sound: `state` is behind a lock; the rest is used by the engine, under its lock, or by the thread of `serve`.
  private struct State {
    var toRank: [ByteBuffer] = []
    var toEngine: [ByteBuffer] = []
    var isHeard = true
    var hasToldOfATask = false
    var wasKilled = false
    var wasAskedBack = false
    var isStopped = false
  }
  let tasks = HeldTasks()
  private let state = Locked(State())
  private let bell: Bell
  private let doorbell: Bell
  private let ended = NativeSemaphore()
  // Of the engine.
  private var near: DistantWorker?
  private var generation: UInt32 = 0
  // Of the rank.
  private var hosted: HostedWorker?
  private var successor: ChannelFrame?

  init() throws { (bell, doorbell) = (try Bell(), try Bell()) }

  var isHeard: Bool {
    get { state.withLock { $0.isHeard } }
    set {
      state.withLock { $0.isHeard = newValue }
      bell.ring()
    }
  }
  var hasToldOfATask: Bool { state.withLock { $0.hasToldOfATask } }
  var wasKilled: Bool { state.withLock { $0.wasKilled } }
  var wasAskedBack: Bool { state.withLock { $0.wasAskedBack } }

  func stop() {
    state.withLock { $0.isStopped = true }
    ended.wait()
  }

  // MARK: The engine's side

  let name = "ranks"
  let adviceOnEndless = ""
  var count: Int { 1 }
  var notice: Int32 { bell.descriptor.number }
  var problem: (any Error)? { nil }

  func start(_ place: Int) throws(ProcessError) -> (process: any WorkerProcess, channel: Channel) {
    generation += 1
    let made = try DistantWorker(number: 0, generation: generation, place: "rank 1") { [state] frame in
      state.withLock { $0.toRank.append(frame) }
    }
    near = made
    return (made, made.channel)
  }

  func deliver(ended: (Int) -> Void) -> Bool {
    bell.silence()
    let frames = state.withLock { state -> [ByteBuffer] in
      guard state.isHeard else { return [] }
      defer { state.toEngine = [] }
      return state.toEngine
    }
    for buffer in frames {
      guard let (frame, bytes) = ChannelFrame.read(buffer), frame.generation == generation else { continue }
      try! near!.accept(frame, bytes)
      if frame.progress & 1 == 1 { state.withLock { $0.hasToldOfATask = true } }
      if frame.kind == ChannelFrame.Kind.ended { ended(0) }
    }
    return !frames.isEmpty
  }

  // MARK: The rank's side

  func serve() {
    while !state.withLock({ $0.isStopped }) {
      step()
      usleep(100)
    }
    ended.signal()
  }

  private func step() {
    let frames = state.withLock { state in
      defer { state.toRank = [] }
      return state.toRank
    }
    for buffer in frames {
      let (frame, bytes) = ChannelFrame.read(buffer)!
      if frame.kind == ChannelFrame.Kind.start {
        if hosted == nil { begin(frame) } else { successor = frame }
      } else if frame.kind == ChannelFrame.Kind.kill, frame.generation == successor?.generation {
        successor = nil
        sayEnded(WorkerEnding(status: .unknown), frame.generation)
      } else if let hosted, hosted.generation == frame.generation {
        if frame.kind == ChannelFrame.Kind.kill {
          hosted.kill()
          state.withLock { $0.wasKilled = true }
        } else {
          try! hosted.accept(frame, bytes)
          if frame.revocation != ChannelFrame.none { state.withLock { $0.wasAskedBack = true } }
        }
      }
    }
    guard let hosted else { return }
    let ending = hosted.process.reap()
    if case .frame(let frame) = hosted.collect(now: apus_now(), isLast: ending != nil) { say(frame) }
    if let ending = hosted.takeEnding() ?? (hosted.isGivenUp ? nil : ending) {
      sayEnded(ending, hosted.generation)
    }
    guard ending != nil else { return }
    self.hosted = nil
    if let successor { begin(successor) }
    successor = nil
  }

  private func begin(_ frame: ChannelFrame) {
    let thread = try! ThreadWorker(doorbell: doorbell) { [tasks] _ in tasks }
    hosted = HostedWorker(number: 0, generation: frame.generation, process: thread, channel: thread.channel)
  }

  private func sayEnded(_ ending: WorkerEnding, _ generation: UInt32) {
    let frame = ChannelFrame(ChannelFrame.Kind.ended, worker: 0, generation: generation).buffer(64)
    ending.append(to: frame, standardError: "")
    say(frame)
  }

  private func say(_ frame: ByteBuffer) {
    state.withLock { $0.toEngine.append(frame) }
    bell.ring()
  }
}

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

/// How often each task was begun; each ends when it is released.
private final class HeldTasks: ElementRunner, Sendable {
  private let state = Locked((begun: [Int: Int](), released: Set<Int>()))
  var begun: [Int: Int] { state.withLock { $0.begun } }
  func release(_ task: Int) { state.withLock { _ = $0.released.insert(task) } }
  func releaseAll() { for task in 0..<3 { release(task) } }

  var strides: (input: Int, output: Int)? { (8, 8) }
  var code: FunctionCode { FunctionCode() }
  func run(_ input: ElementInput, output: WorkerLoop) throws {}
  func run(_ run: _RawRun) throws {
    run.forEach { (task: Int) -> Int in
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

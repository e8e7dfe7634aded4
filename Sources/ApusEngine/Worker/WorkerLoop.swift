import ApusSystem
import ApusWire
import CApus
import Glibc
import Synchronization

/// The worker's side of a channel: takes elements, has them run, hands back results.
///
/// It runs on one thread. What it publishes as it goes along (which element it is in, each result as it is
/// made) is what lets the parent lose nothing but the guilty element when the process dies at any instant.
package final class WorkerLoop: RunGatekeeper, @unchecked Sendable {
  // Sound: made before the first task and used by the loop's thread alone, but for `asyncTask`, which is
  // behind a lock, and the channel's words, which are atomics.

  /// The loop of this process, if it has one: in a worker, or in a rank that runs tasks itself.
  package static var current: WorkerLoop? {
    if let ofWorker { return ofWorker }
    // No lock where there never was a thread that serves.
    guard hasServed.load(ordering: .acquiring) else { return nil }
    // That of another thread for what a body has started elsewhere.
    return ofThreads.withLock { loops in
      (loops.last { pthread_equal($0.thread, pthread_self()) != 0 } ?? loops.last)?.loop
    }
  }

  // Sound: set while the process has one thread, and never again.
  nonisolated(unsafe) private static var ofWorker: WorkerLoop?
  /// A rank's, which come and go while other threads look. More than one while a task goes on whose pool is gone.
  private static let ofThreads = Locked<[(thread: pthread_t, loop: WorkerLoop)]>([])
  private static let hasServed = Atomic<Bool>(false)

  package typealias MakeRunner = (UnsafeRawBufferPointer) throws -> any ElementRunner

  let channel: Channel
  @exclusivity(unchecked) var tasks: RingReader
  @exclusivity(unchecked) var results: RingWriter
  private let doorbell: Int32
  private let forks = apus_fork_count()
  private let makeRunner: MakeRunner
  @exclusivity(unchecked) private var functions: [UInt64: Result<any ElementRunner, any Error>] = [:]
  /// The function called last, whose place is shown in the channel: most tasks are of the same one as the task before.
  @exclusivity(unchecked) private var latest: (function: UInt64, runner: any ElementRunner)?
  /// Elements before this one were taken back by the parent.
  @exclusivity(unchecked) var skipTo: UInt64 = 0
  /// The element that the run in hand stopped before because it was taken back.
  @exclusivity(unchecked) var stoppedBefore: UInt64?
  /// Bytes of a streamed argument that are not read yet.
  var streaming = 0
  let scratch = ByteBuffer(capacity: 4096)
  /// Of a worker process with a limit.
  @exclusivity(unchecked) var memory: MemoryWatch?
  /// Whether it is asked what the element in hand has done with its memory.
  @exclusivity(unchecked) var isWatched = false
  private lazy var marker = OutputMarker(channel)
  /// Whether the output says that an element is begun, and not yet that it has ended.
  @exclusivity(unchecked) private(set) var isMarked = false
  /// How often the element in hand was tried before, in a worker that died.
  @exclusivity(unchecked) package private(set) var tries = 0
  /// The Swift task that runs an asynchronous body, and its element's number.
  private let asyncTask = Locked<(sequence: UInt64, cancel: @Sendable () -> Void)?>(nil)

  package init(channel: Channel, doorbell: Int32, makeRunner: @escaping MakeRunner) {
    self.channel = channel
    tasks = channel.taskReader
    results = channel.resultWriter
    self.doorbell = doorbell
    self.makeRunner = makeRunner
  }

  /// Makes it the loop of this process, which is a worker and has one thread yet.
  func becomeCurrent() { Self.ofWorker = self }

  /// Takes tasks until told to stop, or until `interrupted` (asked between tasks) says so.
  @inline(__always)
  package func run(until interrupted: () -> Bool) throws {
    // The function of the last raw chunk. Not in a property: to take it from there would count a reference for each task,
    // which takes longer than all else that a small one costs.
    let none = NoRunner()
    var runner: any ElementRunner = none
    var runnersFunction: UInt64?
    while !interrupted() {
      try waitForTasks(TaskHeader.size)
      let header = tasks.place().load(as: TaskHeader.self)
      if header.flags & TaskHeader.Flag.memory != 0 { try memory?.check() }
      tries = Int(header.tries)
      switch header.kind {
      case TaskHeader.Kind.define:
        // Let go of: a function may have a large context.
        (runner, runnersFunction) = (none, nil)
        try define(header)
      case TaskHeader.Kind.chunk:
        // The function that is shown in the channel is another one from here on.
        if runnersFunction != nil { (runner, runnersFunction) = (none, nil) }
        try runChunk(header)
      case TaskHeader.Kind.rawChunk:
        if runnersFunction != header.function {
          (runner, runnersFunction) = (none, nil)
          do {
            runner = try rawRunner(header)
            runnersFunction = header.function
          } catch let report as FailureReport { try failRawChunk(header, report) }
        }
        if runnersFunction != nil { try runRawChunk(header, runner) }
      case TaskHeader.Kind.large:
        if runnersFunction != nil { (runner, runnersFunction) = (none, nil) }
        try runLarge(header)
      case TaskHeader.Kind.forget:
        (runner, runnersFunction) = (none, nil)
        setFunction(header.function, nil)
        tasks.consume(TaskHeader.size)
      case TaskHeader.Kind.stop: return
      default: throw WorkerProtocolError("a task of unknown kind \(header.kind)")
      }
      notify()
    }
  }

  // MARK: Functions

  private func define(_ header: TaskHeader) throws {
    let bytes = ByteBuffer(capacity: Int(header.length))
    beginStream(header)
    try read(
      into: UnsafeMutableRawBufferPointer(
        start: bytes.uninitialized(count: Int(header.length)), count: Int(header.length)))
    try endStream()
    setFunction(header.function, Result { try makeRunner(bytes.bytes) })
  }

  private func setFunction(_ function: UInt64, _ runner: Result<any ElementRunner, any Error>?) {
    functions[function] = runner
    if latest?.function == function { latest = nil }
  }

  @inline(__always)
  func runner(_ header: TaskHeader) throws -> any ElementRunner {
    if let latest, latest.function == header.function { return latest.runner }
    return try find(header)
  }

  @inline(never)
  private func find(_ header: TaskHeader) throws -> any ElementRunner {
    guard let runner = functions[header.function] else {
      throw FailureReport(.function, WorkerProtocolError("the worker was not told of the function"))
    }
    do {
      let runner = try runner.get()
      latest = (header.function, runner)
      channel.functionCode = runner.code  // for the message about this process's end
      return runner
    } catch {
      throw FailureReport(.function, error)
    }
  }

  // MARK: Elements

  private func runChunk(_ header: TaskHeader) throws {
    let size = recordSize(TaskHeader.size + Int(header.length))
    try waitForTasks(size)
    let lengths = tasks.place(TaskHeader.size).assumingMemoryBound(to: UInt32.self)
    var bytes = UnsafeRawPointer(lengths + Int(header.count))
    for index in 0..<Int(header.count) {
      let length = Int(lengths[index])
      let input = UnsafeRawBufferPointer(start: bytes, count: length)
      bytes += length
      try runElement(header, header.first + UInt64(index)) { .bytes(input) }
    }
    tasks.consume(size)
  }

  private func runLarge(_ header: TaskHeader) throws {
    beginStream(header)
    try runElement(header, header.first) { .stream(length: Int(header.length)) }
    try endStream()
  }

  private func runElement(_ header: TaskHeader, _ sequence: UInt64, input: () -> ElementInput) throws {
    if header.flags & TaskHeader.Flag.memory != 0 { try memory?.check() }
    // Before it is begun: the worker may have to wait until what it has printed is read.
    if header.flags & TaskHeader.Flag.marked != 0 {
      guard sequence >= skipTo else { return }
      beginMark(sequence)
    }
    guard claim(sequence) else {
      if isMarked { endMark() }
      return
    }
    if header.flags & TaskHeader.Flag.timed != 0 {
      channel.begun.pointee.store(apus_now(), ordering: .relaxed)
    }
    // Another one's, if none is said for this one.
    isWatched = header.flags & TaskHeader.Flag.memory != 0
    if isWatched { memory?.beginElement() }
    do {
      try runner(header).run(input(), output: self)
    } catch let report as FailureReport {
      return try fail(report, sequence)
    }
    channel.progress.pointee.store(sequence &* 2 &+ 2, ordering: .releasing)
  }

  func beginMark(_ sequence: UInt64) {
    marker.write(sequence)
    isMarked = true
  }

  func endMark() {
    isMarked = false
    // What a body has forked shares the pipe, and is not the one to say so.
    if apus_fork_count() == forks { marker.write(OutputMark.noTask) }
  }

  /// Says that `sequence` is being worked on, unless it was taken back.
  func claim(_ sequence: UInt64) -> Bool {
    guard sequence >= skipTo else { return false }
    channel.progress.pointee.store(sequence &* 2 &+ 1, ordering: .relaxed)
    // See `_RawRun.forEach` for why the two do not change places.
    if channel.gate.pointee.load(ordering: .sequentiallyConsistent) > sequence || mayStart(sequence) {
      return true
    }
    passRevoked()
    return false
  }

  /// Says that what was taken back is passed. Not before the record of a run is closed, which counts by `progress`:
  /// whoever looked at the two would take the elements for done.
  func passRevoked() { channel.progress.pointee.store(skipTo &* 2, ordering: .releasing) }

  /// The gate is shut: the parent sleeps and wants to be woken, or takes elements back. After a false `passRevoked` is to
  /// be called.
  package func mayStart(_ sequence: UInt64) -> Bool {
    notify(before: sequence)
    var backoff = Backoff()
    while channel.revocation.pointee.load(ordering: .acquiring) == Revocation.deciding {
      _ = backoff.pause()
    }
    guard channel.revocation.pointee.load(ordering: .acquiring) == Revocation.decided else { return true }
    // Acquire: pairs with the release in `decideRevocation`.
    let to = channel.revokedTo.pointee.load(ordering: .acquiring)
    guard sequence < to, sequence >= channel.revokedFrom.pointee.load(ordering: .relaxed) else { return true }
    skipTo = to
    stoppedBefore = sequence
    return false
  }

  // MARK: In a process that is no worker

  /// Whether the loop is to end.
  private let isAbandoned = Atomic<Bool>(false)

  /// Serves the channel as a worker process would, on this thread, until told to stop or abandoned.
  package func serveInThisProcess() throws {
    if !apus_barrier_register() { channel.needsFences.pointee.store(1, ordering: .relaxed) }
    channel.detachInForks(ofAnyThread: false)
    defer { apus_fork_detaches(nil, 0, 0, 0, 0, false) }
    WorkerEntry.publishIdentity(channel)
    channel.ready.pointee.store(Channel.magic, ordering: .releasing)
    notify()
    Self.ofThreads.withLock { $0.append((pthread_self(), self)) }
    Self.hasServed.store(true, ordering: .releasing)
    defer { Self.ofThreads.withLock { loops in loops.removeAll { $0.loop === self } } }
    do { try run { isAbandoned.load(ordering: .relaxed) } } catch is CancellationError {}
  }

  /// From another thread, once all that was not begun is taken back: the loop ends when the element in hand has ended.
  package func abandon() {
    isAbandoned.store(true, ordering: .releasing)
    channel.cancelled.pointee.store(
      channel.progress.pointee.load(ordering: .relaxed) / 2 + 1, ordering: .releasing)
    cancelAsyncTask()
    channel.wakeWorker()
  }

  // MARK: Cancellation

  /// Whether the parent has asked the element that is being worked on to stop.
  package var isCancelled: Bool {
    let progress = channel.progress.pointee.load(ordering: .relaxed)
    return progress & 1 == 1 && channel.cancelled.pointee.load(ordering: .relaxed) == progress / 2 + 1
  }

  /// Has `cancel` called when the parent asks the element in hand to stop, until called with nil.
  package func onCancel(_ cancel: (@Sendable () -> Void)?) {
    let sequence = channel.progress.pointee.load(ordering: .relaxed) / 2
    asyncTask.withLock { $0 = cancel.map { (sequence, $0) } }
    if cancel != nil, isCancelled { cancel?() }
  }

  /// From the lifeline's thread, when the parent says that it has cancelled an element.
  package func cancelAsyncTask() {
    let cancelled = channel.cancelled.pointee.load(ordering: .acquiring)
    let task = asyncTask.withLock { $0 }
    if let task, task.sequence &+ 1 == cancelled { task.cancel() }
  }

  // MARK: Of this worker

  /// Which of its pool's workers this is, from 0 on.
  package var place: Int { Int(clamping: channel.place.pointee.load(ordering: .relaxed)) }

  /// What tells the element in hand from others.
  package var element: UInt64 { channel.progress.pointee.load(ordering: .relaxed) }

  /// The seed that this worker was given for a random generator of its own.
  package var seed: UInt64 { channel.seed.pointee.load(ordering: .relaxed) }

  /// Where it notes which part of the element in hand it is at: 8 bytes.
  package var placeOfPart: UnsafeMutableRawPointer { UnsafeMutableRawPointer(channel.part) }

  // MARK: Waiting

  /// Rings the doorbell if the parent asked for it, after anything that it may be waiting for.
  ///
  /// - Parameter next: The element that is claimed and not begun.
  func notify(before next: UInt64? = nil) {
    if channel.needsFences.pointee.load(ordering: .relaxed) != 0 {
      atomicMemoryFence(ordering: .sequentiallyConsistent)
    }
    // Ordered after what was published by the parent's membarrier, made after it asked.
    guard channel.wakeUpRequest.pointee.load(ordering: .sequentiallyConsistent) != 0,
      channel.wakeUpRequest.pointee.exchange(0, ordering: .relaxed) != 0
    else { return }
    endIfForked()
    var one: UInt64 = 1
    if Glibc.write(doorbell, &one, 8) < 0, errno != EAGAIN, errno != EINTR { loseDoorbell(before: next) }
  }

  /// A body has closed descriptors that were not its own, and the parent can't be woken: but by our end.
  private func loseDoorbell(before next: UInt64?) -> Never {
    // Whose fault it was is over, and its result is there. The next one is innocent.
    if let next { channel.progress.pointee.store(next &* 2, ordering: .releasing) }
    endProcess(
      WorkerProtocolError(
        "a body has closed a descriptor that is not its own (with `closefrom`, or in a loop?), and the worker can't "
          + "go on without it"), as: "worker")
  }

  /// Ends what a body has forked and let return: the work is its parent's, and the channel here is a copy that nobody
  /// else sees (`Channel.detachInForks`), so nothing has come of it.
  package func endIfForked() {
    guard apus_fork_count() != forks else { return }
    endProcess(
      WorkerProtocolError(
        "process \(getpid()) was forked by a body and came back from it: it ends here, and what it returned is "
          + "dropped. End such a child with `_exit`."), as: "child")
  }

  func waitForTasks(_ count: Int) throws {
    try wait { try tasks.available(atLeast: count) >= count }
  }

  func waitForSpace(_ count: Int) throws {
    try wait { try results.space(atLeast: count) >= count }
  }

  private func wait(until isReady: () throws -> Bool) throws {
    if try isReady() { return }
    var backoff = Backoff()
    while try !isReady() {
      if backoff.pause() { continue }
      if isAbandoned.load(ordering: .acquiring) { throw CancellationError() }
      endIfForked()  // nobody would wake it
      try channel.sleepAsWorker { try isReady() || isAbandoned.load(ordering: .acquiring) }
      backoff = Backoff()
    }
  }
}

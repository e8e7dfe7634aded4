@testable import ApusEngine
@testable import ApusSystem
@testable import ApusWire
import CApus
import Glibc
import Synchronization
import Testing

/// The parent's side of a channel when the worker is slow, and taking tasks back from it.
@Suite struct ChannelSendTests {
  /// The ring is full to the last byte, and another function's tasks are to be sent.
  @Test func aNewFunctionWaitsForRoomInAFullRing() throws {
    let fake = try FakeWorker()
    let job = makeJob(strides: (8, 8))
    let other = makeJob(strides: (8, 8))
    try fake.give(job, 1)
    while try fake.give(job, ChannelLimit.record / 8) > 0 {}
    // What is left is filled up with ever smaller records.
    for count in [4096, 1024, 256, 64, 16, 4] { while try fake.give(job, count) > 0 {} }
    #expect(try fake.worker.tasks.space(atLeast: Channel.ringSize) < 2 * TaskHeader.size)
    #expect(try fake.give(other, 1) == 0)
    fake.tasks.consume(Channel.ringSize - 64)
    #expect(try fake.give(other, 1) == 1)
  }

  /// A task is at most in the worker's hands or in the queue, whatever is taken back.
  @Test func whatWasNotBegunIsTakenBack() throws {
    for begun in 0...6 {
      let fake = try FakeWorker()
      let job = makeJob()
      try fake.give(job, 6)
      fake.theirs.progress.pointee.store(begun == 0 ? 0 : UInt64(2 * begun - 1), ordering: .releasing)
      #expect(fake.worker.revoke() == 6 - begun)
      #expect(job.queued == 6 - begun && job.inFlight == begun && fake.worker.inFlight == begun)
      #expect(fake.theirs.revokedFrom.pointee.load(ordering: .relaxed) == UInt64(begun))
      #expect(fake.theirs.revokedTo.pointee.load(ordering: .relaxed) == 6)
    }
  }

  /// The worker finishes its task, and only after the parent has taken the result does it pass what was taken
  /// back. The next tasks can be taken back from it again.
  @Test func aWorkerThatPassesLateCanBeRevokedAgain() throws {
    let fake = try FakeWorker()
    let job = makeJob()
    try fake.give(job, 3)
    fake.theirs.progress.pointee.store(1, ordering: .releasing)
    #expect(fake.worker.revoke() == 2)
    fake.theirs.progress.pointee.store(2, ordering: .releasing)
    fake.answer(ResultHeader(kind: ResultHeader.Kind.value, count: 1, sequence: 0, length: 0))
    #expect(try fake.worker.receive(now: apus_now()) == 1)
    fake.worker.checkRevocation()
    // Now it claims task 1, waits at the gate and is told.
    fake.theirs.progress.pointee.store(6, ordering: .releasing)
    // A chunk of three more, of which the first is long.
    try fake.give(job, 3)
    fake.theirs.progress.pointee.store(7, ordering: .releasing)
    if fake.worker.hasNews(isLast: true) { fake.worker.checkRevocation() }
    #expect(fake.worker.revoke() == 2)
  }

  /// Cancelling holds locks of tasks while it comes to the engine, so what ends by it is told by another thread.
  @Test func cancellingTellsNobodyItself() throws {
    let engine = try PoolEngine(
      EngineConfiguration(
        workers: 1, command: SpawnRequest(path: "/bin/sleep", arguments: ["sleep", "1000"])))
    defer { engine.shutDown(within: 0) }
    let bytes = ByteBuffer()
    bytes.append(1)
    let function = FunctionDefinition(bytes: ByteBuffer(), carriesContext: false, strides: (8, 8))
    let job = EngineJob(function)
    #expect(engine.add(job, only: InputBatch(only: bytes, of: function)))
    let isOurs = Locked(true)
    let isTold = NativeSemaphore()
    let own = pthread_self()
    #expect(
      engine.whenOver(job) {
        isOurs.withLock { $0 = pthread_equal(own, pthread_self()) != 0 }
        isTold.signal()
      })
    engine.cancel(job)
    isTold.wait()
    #expect(!isOurs.withLock { $0 })
  }

  /// Its argument is longer than the ring, and the worker is stopped, or deep in the task before it. What is missing
  /// of the argument follows all the same, for the worker to pass over.
  @Test(arguments: [0, 1]) func aLargeArgumentOnItsWayIsTakenBack(before: Int) throws {
    let fake = try FakeWorker()
    let (job, large) = (makeJob(), makeJob())
    if before > 0 { try fake.give(job, before) }
    let length = 3 * Channel.ringSize
    try fake.give(large, 1, stride: length)
    #expect(fake.worker.outgoing != nil)
    if before > 0 { fake.theirs.progress.pointee.store(1, ordering: .releasing) }
    #expect(fake.worker.revoke() == 1)
    #expect(large.queued == 1 && large.inFlight == 0 && fake.worker.inFlight == before)
    #expect(!fake.worker.isIdle)
    // As a worker does that passes over it.
    fake.tasks.consume(Int(try fake.tasks.available(atLeast: Channel.ringSize)))
    while try fake.worker.pushOutgoing() {
      fake.tasks.consume(Int(try fake.tasks.available(atLeast: Channel.ringSize)))
    }
    #expect(fake.worker.outgoing == nil)
    fake.theirs.progress.pointee.store(UInt64(2 * (before + 1)), ordering: .releasing)
    fake.worker.checkRevocation()
    #expect(!fake.worker.isRevoking)
  }

  /// The worker counts on our barriers, and the kernel lets us have none any more: it may be in any of the tasks without
  /// our seeing it. A worker that fences is not concerned.
  @Test(arguments: [false, true]) func withoutABarrierNothingIsTakenBackFromAWorkerThatCountsOnIt(
    fences: Bool
  ) throws {
    let fake = try FakeWorker()
    try fake.give(makeJob(), 6)
    fake.theirs.needsFences.pointee.store(fences ? 1 : 0, ordering: .relaxed)
    fake.theirs.progress.pointee.store(3, ordering: .releasing)
    #expect(fake.worker.channel.decideRevocation(before: 6, barrier: { false }) == (fences ? 2 : 6))
  }

  /// Where the kernel gives the worker no barrier the gate stays shut from the beginning, or a task that is
  /// taken back could have been begun a moment before without anybody seeing it.
  @Test func withoutABarrierTheGateIsShutAsSoonAsTheWorkerIsReady() throws {
    let fake = try FakeWorker()
    let engine = try PoolEngine(
      EngineConfiguration(
        workers: 1, command: SpawnRequest(path: "/bin/sleep", arguments: ["sleep", "1000"])))
    defer { engine.shutDown(within: 0) }
    fake.worker.state = .starting
    fake.worker.openGate()  // as the engine does when the process has been started
    fake.theirs.needsFences.pointee.store(1, ordering: .relaxed)
    for (part, word) in CodeReference.programIdentity().enumerated() {
      fake.theirs.identity(part).pointee.store(word, ordering: .relaxed)
    }
    try engine.lock.withLock { try engine.becomeReady(fake.worker, now: apus_now()) }
    #expect(fake.worker.state == .ready)
    #expect(fake.theirs.gate.pointee.load(ordering: .relaxed) == 0)
  }
}

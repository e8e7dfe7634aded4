@testable import ApusEngine
@testable import ApusSystem
@testable import ApusWire
import CApus
import Synchronization
import Testing

/// Time limits and cancellation: what the engine does with the tasks behind the one that is to end.
@Suite struct EngineLimitTests {
  /// An engine whose only worker is a fake, so that nothing happens to it but what `body` does.
  private func withEngine(_ fake: FakeWorker, _ body: (PoolEngine) throws -> Void) throws {
    let engine = try PoolEngine(
      EngineConfiguration(
        workers: 1, command: SpawnRequest(path: "/bin/sleep", arguments: ["sleep", "1000"])))
    defer { engine.shutDown(within: 0) }
    try engine.lock.withLock {
      let own = engine.workers[0]
      engine.workers[0] = fake.worker
      defer { engine.workers[0] = own }
      try body(engine)
    }
  }

  private func makeJob(limit: UInt64) -> EngineJob {
    let bytes = ByteBuffer()
    bytes.append(UInt64(0))
    var options = EngineJob.Options()
    options.timeLimit = limit
    return EngineJob(
      FunctionDefinition(bytes: bytes, carriesContext: false, strides: nil), options: options)
  }

  private static let hour: UInt64 = 3_600_000_000_000

  /// A kill ends the whole worker: it must find nothing there but the task that it is for.
  @Test(arguments: 0...3) func whatWaitsBehindATaskPastItsLimitIsTakenBack(ended: Int) throws {
    let fake = try FakeWorker()
    try withEngine(fake) { engine in
      let job = makeJob(limit: Self.hour)
      try fake.give(job, 6)
      for task in 0..<ended {
        fake.answer(ResultHeader(kind: ResultHeader.Kind.value, count: 1, sequence: UInt64(task), length: 0))
      }
      fake.theirs.progress.pointee.store(UInt64(2 * ended + 1), ordering: .releasing)
      _ = try fake.worker.receive(now: apus_now())
      engine.enforceLimits(now: apus_now() + 2 * Self.hour)
      #expect(fake.worker.stop?.sequence == UInt64(ended))
      #expect(fake.worker.inFlight == 1)
      #expect(job.queued == 5 - ended)
      #expect(fake.theirs.cancelled.pointee.load(ordering: .relaxed) == UInt64(ended + 1))
    }
  }

  /// It has ended the task that is past its limit, nobody has looked, and it is in the next one.
  @Test func aWorkerThatIsInTheNextTaskIsLeftAlone() throws {
    let fake = try FakeWorker()
    try withEngine(fake) { engine in
      let job = makeJob(limit: Self.hour)
      try fake.give(job, 4)
      fake.theirs.progress.pointee.store(1, ordering: .releasing)
      engine.enforceLimits(now: apus_now() + 2 * Self.hour)
      fake.answer(ResultHeader(kind: ResultHeader.Kind.value, count: 1, sequence: 0, length: 0))
      fake.theirs.progress.pointee.store(3, ordering: .releasing)
      engine.enforceLimits(now: apus_now() + 4 * Self.hour)
      #expect(!fake.worker.isKilled)
    }
  }

  /// A fault that the program's own handler survived, before the task at the head, is no reason to kill its worker; one
  /// in that task is, once its backtrace has had its time.
  @Test(arguments: [false, true]) func aFaultCountsForTheTaskThatRaisedIt(isInHead: Bool) throws {
    let fake = try FakeWorker()
    try withEngine(fake) { engine in
      try fake.give(makeJob(limit: Self.hour), 1)
      let now = apus_now()
      fake.theirs.crashed.pointee.store(isInHead ? now + 1 : now - 1, ordering: .relaxed)
      fake.theirs.begun.pointee.store(now, ordering: .relaxed)
      fake.theirs.progress.pointee.store(1, ordering: .releasing)
      engine.enforceLimits(now: now + 2 * Self.hour)
      #expect(fake.worker.isKilled == isInHead)
      #expect((fake.worker.stop?.sequence == 0) != isInHead)
    }
  }

  /// A worker that does not begin is ended, and what it was given goes elsewhere.
  @Test func aWorkerThatDoesNotBeginIsEndedWithNothingInHand() throws {
    let fake = try FakeWorker()
    try withEngine(fake) { engine in
      let job = makeJob(limit: Self.hour)
      try fake.give(job, 3)
      engine.enforceLimits(now: apus_now() + 2 * Self.hour)
      #expect(fake.worker.isKilled && fake.worker.killedFor == nil)
      #expect(fake.worker.inFlight == 0 && job.queued == 3)
    }
  }

  /// The fault came after the limit was looked at: what is said of it takes its time.
  @Test func aWorkerThatHasJustCrashedIsLeftToItsBacktrace() throws {
    let fake = try FakeWorker()
    try withEngine(fake) { engine in
      let job = makeJob(limit: Self.hour)
      try fake.give(job, 1)
      fake.theirs.progress.pointee.store(1, ordering: .releasing)
      fake.theirs.crashed.pointee.store(1, ordering: .relaxed)
      engine.enforceLimit(fake.worker, Self.hour, now: apus_now() + Self.hour + 1)
      #expect(!fake.worker.isKilled && fake.worker.stop == nil)
      engine.enforceLimits(now: apus_now() + 2 * Self.hour)
      #expect(fake.worker.isKilled)
    }
  }

  /// It has ended the task and nobody has looked, so it is not one that does not begin.
  @Test func aWorkerThatIsThroughIsNotOneThatDoesNotBegin() throws {
    let fake = try FakeWorker()
    try withEngine(fake) { engine in
      let job = makeJob(limit: Self.hour)
      try fake.give(job, 1)
      fake.theirs.progress.pointee.store(2, ordering: .releasing)
      engine.enforceLimits(now: apus_now() + 2 * Self.hour)
      #expect(!fake.worker.isKilled && fake.worker.inFlight == 1)
    }
  }

  /// Whoever drives may do so for long; those whom nobody else tells are not to wait for its end.
  @Test func whoDrivesTellsWhatHasEnded() throws {
    let fake = try FakeWorker()
    try withEngine(fake) { engine in
      let isTold = Locked(false)
      engine.ended.append { isTold.withLock { $0 = true } }
      engine.letIn()
      #expect(isTold.withLock { $0 })
    }
  }

  /// Functions that nobody can call any more are let go of, though nothing else happens.
  @Test func whatCouldNotBeLetGoOfIsTriedAgain() throws {
    let fake = try FakeWorker()
    try withEngine(fake) { engine in
      _ = engine.unused.take()
      #expect(engine.nextDeadline(now: apus_now()) == nil)
      engine.unused.postponed()
      #expect(engine.nextDeadline(now: apus_now()) != nil)
      _ = engine.unused.take()
    }
  }

  /// The job of a task that could not be taken back in time was cancelled; others' tasks wait behind it.
  @Test func whatWaitsBehindACancelledTaskIsTakenBack() throws {
    let fake = try FakeWorker()
    try withEngine(fake) { engine in
      let (cancelled, other) = (makeJob(limit: Self.hour), makeJob(limit: Self.hour))
      try fake.give(cancelled, 2)
      try fake.give(other, 3)
      fake.answer(ResultHeader(kind: ResultHeader.Kind.value, count: 1, sequence: 0, length: 0))
      fake.theirs.progress.pointee.store(3, ordering: .releasing)
      cancelled.isCancelled = true
      #expect(engine.pump())
      #expect(fake.worker.stop?.sequence == 1 && fake.worker.inFlight == 1)
      #expect(other.queued == 3)
    }
  }
}

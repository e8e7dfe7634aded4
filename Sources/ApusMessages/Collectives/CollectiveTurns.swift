import ApusSystem
import Glibc
import Synchronization

/// The collective operations of one communicator on one rank: one at a time, those that are awaited in the order of
/// their calls.
///
/// What is awaited runs on a thread of its own, which starts with the first of it: an operation waits for other ranks,
/// which no cooperative thread may do. The thread ends with the communicator.
final class CollectiveTurns: Sendable {
  /// Carries an operation out, and gives what tells its caller.
  private typealias Job = @Sendable () -> (@Sendable () -> Void)

  private struct State {
    var jobs = Queue<Job>()
    var isStarted = false
    var isClosed = false
  }

  private let state = Locked(State())
  private let wake = NativeSemaphore()
  /// How many awaited operations are not over; -1 while a caller's own thread is in one.
  private let underWay = Atomic<Int>(0)
  /// The thread that is about to carry out what is awaited.
  private let server = Atomic<UInt>(0)

  /// The turn of a caller that waits itself. False if it has it already: as the thread of what is awaited.
  @inline(__always)
  func begin() throws -> Bool {
    // Acquiring and releasing (in `end`): whoever had the turn before has left the communicator as it should be.
    if underWay.compareExchange(expected: 0, desired: -1, ordering: .acquiring).exchanged { return true }
    // Once: what the operation itself calls, such as a reduction's operator, has no turn.
    if server.compareExchange(expected: UInt(pthread_self()), desired: 0, ordering: .relaxed).exchanged {
      return false
    }
    throw Self.outOfTurn
  }

  @inline(__always)
  func end() { underWay.store(0, ordering: .releasing) }

  /// Waits for an operation's turn and then for its end.
  ///
  /// - Parameter share: Lets other threads use the transport from now on. Called for the first operation.
  func run<R: Sendable>(
    share: () throws -> Void, _ body: @escaping @Sendable () throws -> R
  ) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
      do {
        try enqueue(share) {
          let result = Result { try body() }
          return { continuation.resume(with: result) }
        }
      } catch { continuation.resume(throwing: error) }
    }
  }

  private func enqueue(_ share: () throws -> Void, _ job: @escaping Job) throws {
    try state.withLock { state in
      var before = underWay.load(ordering: .relaxed)
      repeat {
        if before < 0 { throw Self.outOfTurn }
        let (exchanged, original) = underWay.compareExchange(
          expected: before, desired: before + 1, ordering: .acquiring)
        if exchanged { break }
        before = original
      } while true
      if !state.isStarted {
        do {
          try share()
          // Operators are the users' code.
          try NativeThread.start(name: "apus-collective", signals: .likeProgram) { self.serve() }
        } catch {
          _ = underWay.subtract(1, ordering: .releasing)
          guard let error = error as? ProcessError else { throw error }
          throw MessageError(.noResources, "the thread for what is awaited could not be started: \(error)")
        }
        state.isStarted = true
      }
      if before == 0 { RestingThreads.collectivesAtWork.add(1, ordering: .relaxed) }
      state.jobs.append(job)
    }
    wake.signal()
  }

  private func serve() {
    while true {
      wake.wait()
      let (job, isClosed) = state.withLock { ($0.jobs.popFirst(), $0.isClosed) }
      if let job {
        server.store(UInt(pthread_self()), ordering: .relaxed)
        let tell = job()
        server.store(0, ordering: .relaxed)
        // Before the caller hears of it: its next call finds the turn free.
        if underWay.subtract(1, ordering: .releasing).newValue == 0 {
          RestingThreads.collectivesAtWork.subtract(1, ordering: .relaxed)
        }
        tell()
      } else if isClosed {
        return
      }
    }
  }

  /// The communicator is gone: nothing more comes.
  func close() {
    state.withLock { $0.isClosed = true }
    wake.signal()
  }

  private static var outOfTurn: MessageError {
    MessageError(
      .concurrentUse,
      "another collective operation of this communicator is under way on this rank: wait for its end first, since "
        + "all ranks must call them in the same order; or give each thread a communicator of its own: duplicate()"
    )
  }
}

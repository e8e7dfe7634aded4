import ApusSystem
import Glibc

/// Lets one thread at a time into a transport, and tells whoever waits for an operation that it is over once the
/// transport is free again: a continuation takes locks of its own.
///
/// While one thread at a time calls by agreement, a flag finds out misuse and no lock is taken.
final class Gate: @unchecked Sendable {
  // Sound: `state` is written by whoever is inside, or by the one thread of a fork. A thread that comes without right
  // reads it at worst too early to be found out.

  private enum State { case open, busy, shared, finished, forked }

  @exclusivity(unchecked) private var state: State
  private let lock = Lock()
  private let mailbox: Mailbox
  /// How often a thread has entered, where several may.
  @exclusivity(unchecked) private(set) var entries: UInt64 = 0
  /// Called by the next one that enters, where several may.
  @exclusivity(unchecked) var whenEntered: (() -> Void)?

  init(_ mailbox: Mailbox, isShared: Bool) {
    self.mailbox = mailbox
    state = isShared ? .shared : .open
  }

  /// Whether several threads may call.
  var isShared: Bool { state == .shared }
  /// Whether the rank has ended its part.
  var isFinished: Bool { state == .finished }

  /// Throws `MessageError` (`concurrentUse`, `finalized`).
  @inline(__always)
  func enter() throws {
    guard state == .open else { return try enterOtherwise() }
    state = .busy
  }

  @inline(never)
  private func enterOtherwise() throws {
    if state == .shared {
      lock.lock()
      if state == .shared {
        entries &+= 1
        whenEntered?()
        return
      }
      lock.unlock()
    }
    throw switch state {
    case .finished: MessageError(.finalized, "this rank has ended its part: there are no messages any more")
    case .forked: MessageError(.finalized, "this process was forked from a rank, and is none itself")
    default: Self.concurrentUse
    }
  }

  static var concurrentUse: MessageError {
    MessageError(
      .concurrentUse,
      "two threads used the communicators of this rank at the same time; ask for it: world(threads: .multiple)"
    )
  }

  @inline(__always)
  func leave() {
    guard state == .busy else { return leaveOtherwise() }
    state = .open
  }

  @inline(never)
  private func leaveOtherwise() {
    let calls = mailbox.takeCalls()
    lock.unlock()
    for call in calls { call() }
  }

  /// In place of `leave`, for a thread that may hold a lock which somebody to be told waits for, such as that of a task
  /// which is being cancelled: nobody is told. Whatever thread leaves next does it, and `Mailbox.hasCalls` says whether
  /// one has to come.
  @inline(__always)
  func leaveUntold() {
    guard state == .busy else { return lock.unlock() }
    state = .open
  }

  /// Lets other threads in while `body` runs.
  func pause(_ body: () -> Void) {
    guard state == .shared else { return body() }
    leaveOtherwise()
    body()
    lock.lock()
  }

  /// Lets several threads call from now on.
  func share() throws {
    try enter()
    if state == .busy { state = .shared } else { leaveUntold() }
  }

  /// In place of `leave`: nobody enters any more.
  func finish() {
    let wasShared = isShared
    state = .finished
    if wasShared { leaveOtherwise() }
  }

  // MARK: Forks

  // Sound: set once, before anything forks that has to see it.
  nonisolated(unsafe) private static var ofThisProcess: Gate?

  /// What is forked from this process may not act for it. For one gate of a process.
  func staysShutInForks() {
    Self.ofThisProcess = self
    // Nothing but a store: other threads may have held locks, which nobody lets go of in the child.
    pthread_atfork(nil, nil) { Gate.ofThisProcess?.state = .forked }
  }
}

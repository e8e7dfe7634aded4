import CApus
import Glibc
import Synchronization

/// A child of this process.
///
/// Its owner reaps it, with `reap()` or `wait()`; a child that is dropped without stays a zombie until this
/// process ends. To sleep until it ends, poll `pidfd` (readable when it has ended) together with other things.
package final class ChildProcess: Sendable {
  /// Whom a signal to the group means.
  enum Group: Sendable {
    /// The child is in our own group.
    case shared
    /// The child leads a group.
    case own
    /// The child leads a group, and what is left of it is killed when the child is reaped.
    case endsWithChild
  }

  package let pid: Int32

  private let group: Group
  /// Who reaps it in our place, if it is no child of ours.
  private let keeper: (any ProcessKeeper)?
  // A fork of this process (Python's os.fork) has a copy of this object, and must not end our children with it
  // when it releases the copy: pidfds work across a fork.
  private let parent = getpid()
  private var isOurs: Bool { getpid() == parent }

  // The lock stands between signalling and reaping: until it is reaped, the number is this child's alone, and
  // as long as a group has members its number is not given out again.
  private let state: Locked<State>

  private struct State {
    var descriptor: OwnedDescriptor?
    var status: ExitStatus?
    var usage: ProcessUsage?
    /// It is reaped, and its group is not given up.
    var speaksForGroup = false
    var number: Int32 { descriptor?.number ?? -1 }

    /// Closes the pidfd, if it still is one: another part of the program may have closed it, and opened another file
    /// under its number.
    mutating func letGo() {
      if let descriptor, !apus_is_pidfd(descriptor.number) { _ = descriptor.take() }
      descriptor = nil
    }
  }

  init(pid: Int32, pidfd: Int32, group: Group, keeper: (any ProcessKeeper)? = nil) {
    (self.pid, self.group, self.keeper) = (pid, group, keeper)
    state = Locked(State(descriptor: pidfd >= 0 ? OwnedDescriptor(pidfd) : nil, status: nil))
  }

  deinit {
    _ = reap()
    state.withLock { $0.letGo() }
  }

  /// A descriptor that becomes readable when the child ends. -1 where the kernel has none (before 5.3), and
  /// once the child is reaped: then it is closed, so take it out of your poll set before `reap()`.
  package var pidfd: Int32 { state.withLock { $0.number } }

  /// Goes on without the pidfd, and does not close it: another file may have its number. Until the child is reaped, its
  /// own number does.
  package func abandonDescriptor() {
    state.withLock { state in
      _ = state.descriptor?.take()
      state.descriptor = nil
    }
  }

  /// What it has used, if it has been reaped.
  package var usage: ProcessUsage? { state.withLock { $0.usage } }

  /// How the child ended, if it has been reaped.
  package var status: ExitStatus? { state.withLock { $0.status } }

  /// Signals the child. Returns whether there was one to signal; after the child is reaped there never is.
  @discardableResult
  package func signal(_ signal: Int32) -> Bool {
    state.withLock { state in
      isOurs && state.status == nil && send(signal, state)
    }
  }

  /// Signals every process in the child's group, or the child alone if it does not lead one.
  ///
  /// Without pidfds (kernels before 5.3) it trusts that no other part of this program reaps our children.
  @discardableResult
  package func signalGroup(_ signal: Int32) -> Bool {
    state.withLock { state in
      if isOurs && state.speaksForGroup { return apus_signal_left_group(pid, state.number, signal) == 0 }
      guard isOurs && state.status == nil else { return false }
      if group != .shared && sendToGroup(signal, state) { return true }
      // The child may have moved to another group.
      return send(signal, state)
    }
  }

  private func send(_ signal: Int32, _ state: State) -> Bool {
    apus_signal(pid, state.number, signal) == 0
  }

  private func sendToGroup(_ signal: Int32, _ state: State) -> Bool {
    if apus_signal_group(pid, state.number, signal) == 0 { return true }
    // For older kernels, which ask whether it is our child: nobody reaps what is kept for us but on our word, or once its
    // keeper has ended. So the number is its own.
    guard let keeper, state.number >= 0, keeper.isThere || !isReadable(state.number, within: 0) else {
      return false
    }
    return kill(-pid, signal) == 0
  }

  /// Kills what the child started and left in its group. Part of `reap()` for most children.
  @discardableResult
  package func killRemainingGroup() -> Bool {
    state.withLock { state in
      group != .shared && isOurs && state.status == nil && sendToGroup(SIGKILL, state)
    }
  }

  /// The child's status if it has ended; `nil` while it runs. Does not block; may be called again and again.
  package func reap() -> ExitStatus? {
    state.withLock { state in
      let status = ended(state)
      guard status != nil, state.status == nil, isOurs else { return status }
      if keeper != nil {
        state.status = status
        state.letGo()
        return status
      }
      var reaped = apus_exit()
      _ = apus_wait(pid, state.number, WEXITED | WNOHANG, &reaped)
      state.status = status
      state.letGo()
      return status
    }
  }

  /// As `reap()`, but goes on to signal its group, if it leads one: until `leaveGroup()`.
  package func reapAlone() -> ExitStatus? {
    state.withLock { state in
      guard state.status == nil, isOurs, keeper == nil, let status = ended(state) else { return state.status }
      var reaped = apus_exit()
      _ = apus_wait(pid, state.number, WEXITED | WNOHANG, &reaped)
      (state.status, state.usage, state.speaksForGroup) = (status, ProcessUsage(reaped), group == .own)
      return status
    }
  }

  /// After `reapAlone()`: whether somebody is left in its group.
  package var hasGroupLeft: Bool {
    state.withLock { $0.speaksForGroup && isOurs && apus_signal_left_group(pid, $0.number, 0) == 0 }
  }

  /// After `reapAlone()`: gives its group up.
  package func leaveGroup() {
    state.withLock { state in
      state.speaksForGroup = false
      state.letGo()
    }
  }

  /// How the child ended, if it has, and kills what it left in its group as `reap()` does. We do not reap it: until
  /// somebody does, its number can't be another process's.
  package func ended() -> ExitStatus? { state.withLock { ended($0) } }

  private func ended(_ state: State) -> ExitStatus? {
    if let status = state.status { return status }
    if !isOurs { return .unknown }
    if let keeper {
      guard state.number < 0 || isReadable(state.number, within: 0) else { return nil }
      if group == .endsWithChild { _ = sendToGroup(SIGKILL, state) }
      return keeper.reap(pid)
    }
    // Without taking: the zombie keeps the group's number ours while the rest is killed.
    var ended = apus_exit()
    let error = apus_wait(pid, state.number, WEXITED | WNOHANG | WNOWAIT, &ended)
    if error == 0 && ended.how == 0 { return nil }
    // With ECHILD somebody else has reaped it, and only a pidfd still says which group was meant.
    if group == .endsWithChild && (error == 0 || state.number >= 0) {
      _ = apus_signal_group(pid, state.number, SIGKILL)
    }
    return error == 0 ? ExitStatus(ended) : .unknown
  }

  /// Blocks until the child has ended, and reaps it.
  package func wait() -> ExitStatus {
    while true {
      if let status = reap() { return status }
      // Not under the lock, so that another thread can signal. The reference keeps the pidfd's number from
      // being closed and given out again when another thread reaps meanwhile.
      let descriptor = state.withLock { $0.descriptor }
      withExtendedLifetime(descriptor) {
        if keeper != nil, let descriptor {
          _ = isReadable(descriptor.number, within: -1)
          return
        }
        var ended = apus_exit()
        _ = apus_wait(pid, descriptor?.number ?? -1, WEXITED | WNOWAIT, &ended)
      }
    }
  }
}

/// Whose children are kept for us.
protocol ProcessKeeper: AnyObject, Sendable {
  /// Whether it has not ended.
  var isThere: Bool { get }
  /// Reaps one that has ended.
  func reap(_ pid: Int32) -> ExitStatus
}

extension ExitStatus {
  init(_ ended: apus_exit) {
    self =
      switch ended.how {
      case Int32(CLD_EXITED): .exited(ended.value)
      case Int32(CLD_KILLED): .signalled(ended.value, coreDumped: false)
      case Int32(CLD_DUMPED): .signalled(ended.value, coreDumped: true)
      default: .unknown
      }
  }
}

import CApus

/// Kills process groups that this process leaves behind when it is killed itself: a small process of its own.
///
/// `PR_SET_PDEATHSIG` ends our children; what those have started in their groups it does not reach.
package final class Watchdog: @unchecked Sendable {
  // Sound: a place is written by the child that starts, before it runs anything, and from then on by one thread of this
  // process at a time; the watchdog alone reads it.
  private let groups: UnsafeMutablePointer<Int32>
  private let process: Int32

  /// - Parameter count: How many groups there will be at most.
  /// - Returns: Nil if the system has no process or memory for it. Must be made before there is a second thread.
  package init?(groups count: Int) {
    var process: pid_t = 0
    guard let groups = apus_watchdog_start(count, &process) else { return nil }
    (self.groups, self.process) = (groups, process)
  }

  /// Where a child that is started notes its group by itself, so that it is in care before it runs anything.
  package func note(_ index: Int) -> UnsafeMutablePointer<Int32> { groups + index }

  /// Puts a group in its care; 0 takes it out again, once nobody is left in it.
  package func watch(_ index: Int, group: Int32) { groups[index] = group }

  /// Ends it, when nobody is left whom it would have to end.
  package func stop() { apus_watchdog_stop(process) }
}

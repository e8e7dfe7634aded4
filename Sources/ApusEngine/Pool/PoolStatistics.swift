/// How a pool fares at one moment: see `ProcessPool.statistics`.
///
/// Of the tasks that were given to the pool, each is counted once:
/// `submitted == queued + running + succeeded + failed + cancelled`.
public struct PoolStatistics: Sendable, Hashable {
  /// One of the pool's workers, with all that took its place since.
  public struct Worker: Sendable, Hashable {
    /// Its process now; nil if there is none.
    public internal(set) var processIdentifier: Int32?
    /// Whether it is at a task.
    public internal(set) var isBusy = false
    /// How long it was at tasks, or on the way to and from them.
    public internal(set) var busyTime = Duration.zero
  }

  /// How many tasks were given to the pool. Inputs that a call has not drawn yet are not.
  public package(set) var submitted = 0
  /// How many wait for a worker, or were given to one that has not begun them.
  public package(set) var queued = 0
  /// How many workers are at.
  public package(set) var running = 0
  /// How many have a value.
  public package(set) var succeeded = 0
  /// How many have failed: the body threw, a worker died, a limit or a deadline has passed.
  public package(set) var failed = 0
  /// How many were cancelled.
  public package(set) var cancelled = 0
  /// How often a task was tried again.
  public package(set) var retried = 0
  /// How many workers were replaced because they had ended.
  public package(set) var restarts = 0
  /// How many workers were replaced because they had done their number of tasks, or kept too much memory.
  public package(set) var recycled = 0
  /// The workers, by number.
  public package(set) var workers: [Worker] = []

  package init() {}
}

extension PoolStatistics: CustomStringConvertible {
  /// For example `12 submitted: 2 queued, 2 running, 7 succeeded, 1 failed, 0 cancelled; 1 retried, 0 restarts, 0 recycled`.
  public var description: String {
    "\(submitted) submitted: \(queued) queued, \(running) running, \(succeeded) succeeded, \(failed) failed, "
      + "\(cancelled) cancelled; \(retried) retried, \(restarts) restarts, \(recycled) recycled"
  }
}

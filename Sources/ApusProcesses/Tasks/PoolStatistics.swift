import ApusEngine

/// How a pool fares at one moment: see `ProcessPool.statistics`.
///
/// Of the tasks that were given to the pool, each is counted once:
/// `submitted == queued + running + succeeded + failed + cancelled`.
public struct PoolStatistics: Sendable, Hashable {
  /// One of the pool's workers, with all that took its place since.
  public struct Worker: Sendable, Hashable {
    /// Its process now; nil if there is none.
    public var processIdentifier: Int32?
    /// Whether it is at a task.
    public var isBusy: Bool
    /// How long it was at tasks, or on the way to and from them.
    public var busyTime: Duration
  }

  /// How many tasks were given to the pool. Inputs that a call has not drawn yet are not.
  public var submitted = 0
  /// How many wait for a worker.
  public var queued = 0
  /// How many workers are at.
  public var running = 0
  /// How many have a value.
  public var succeeded = 0
  /// How many have failed: the body threw, a worker died, a limit or a deadline has passed.
  public var failed = 0
  /// How many were cancelled.
  public var cancelled = 0
  /// How often a task was tried again.
  public var retried = 0
  /// How many workers were replaced because they had ended.
  public var restarts = 0
  /// How many workers were replaced because they had done their number of tasks, or kept too much memory.
  public var recycled = 0
  /// The workers, by number.
  public var workers: [Worker] = []
}

extension ProcessPool {
  /// The pool's counters, all of the same moment. Can be asked at any time, while the pool ends too. In a pool of 0 workers
  /// all are 0.
  ///
  /// - Complexity: O(*w*) for *w* workers, with the pool's lock held.
  public var statistics: PoolStatistics {
    guard let its = engine?.statistics() else { return PoolStatistics() }
    return PoolStatistics(
      submitted: its.submitted, queued: its.queued, running: its.running, succeeded: its.succeeded,
      failed: its.failed,
      cancelled: its.cancelled, retried: its.retried, restarts: its.restarts, recycled: its.recycled,
      workers: its.workers.map { worker in
        PoolStatistics.Worker(
          processIdentifier: worker.process, isBusy: worker.isBusy,
          busyTime: .nanoseconds(Int64(clamping: worker.busyTime)))
      })
  }
}

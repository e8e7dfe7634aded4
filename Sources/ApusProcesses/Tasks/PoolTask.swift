import ApusEngine

/// The task that is running, as its body sees it.
public enum PoolTask {
  /// Whether this process is a worker of a pool.
  public static var isInWorker: Bool { WorkerLoop.current != nil }

  /// Whether the task that is running in this worker was cancelled, or is past its time limit.
  ///
  /// A body that runs long looks here now and then (a few nanoseconds) and returns or throws if it is true.
  /// One that does not is killed, with its worker, when the pool's grace period is over. In an asynchronous
  /// body `Task.isCancelled` says the same.
  public static var isCancelled: Bool { WorkerLoop.current?.isCancelled ?? Task.isCancelled }

  /// Throws `CancellationError` if the task was cancelled.
  public static func checkCancellation() throws {
    if isCancelled { throw CancellationError() }
  }
}

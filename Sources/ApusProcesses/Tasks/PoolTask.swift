import ApusEngine

/// The task that is running, as its body sees it.
public enum PoolTask {
  /// Whether this process is a worker of a pool.
  public static var isInWorker: Bool { WorkerLoop.current != nil }

  /// Which of its pool's workers this process is, from 0 on; nil if it is none. The worker that takes the place of another
  /// one has its number.
  public static var worker: Int? { WorkerLoop.current?.place }

  /// Which attempt at the task this is: 1, and one more each time that a worker died in it.
  public static var attempt: Int { (WorkerLoop.current?.tries ?? 0) + 1 }

  /// This worker's random generator: see `ProcessPool.Configuration.seed`. All copies are the same one.
  ///
  /// ```swift
  /// var random = PoolTask.random
  /// let throwOfDice = Int.random(in: 1...6, using: &random)
  /// ```
  public static var random: WorkerRandom { WorkerRandom() }

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

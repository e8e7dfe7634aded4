import ApusEngine
import ApusSystem

/// The one worker of a pool without workers, which is the caller's process: its start hook is called before the first task,
/// and its exit hook when the pool is shut down.
final class InlineWorker: Sendable {
  private struct Hook {
    /// The call of the start hook, and what came of it.
    var task: Task<TaskError?, Never>?
    var result: TaskError??
    var isClosed = false
  }

  private let configuration: ProcessPool.Configuration
  private let hook = Locked(Hook())
  private let counts = Locked(PoolStatistics())

  init(_ configuration: ProcessPool.Configuration) { self.configuration = configuration }

  var statistics: PoolStatistics { counts.withLock { $0 } }

  // MARK: Tasks

  func begin() {
    counts.withLock { counts in
      counts.submitted += 1
      counts.running += 1
    }
  }

  func end<Output>(_ result: Result<Output, TaskError>) {
    counts.withLock { counts in
      counts.running -= 1
      switch result {
      case .success: counts.succeeded += 1
      case .failure(let error) where error.code == .cancelled: counts.cancelled += 1
      case .failure: counts.failed += 1
      }
    }
  }

  // MARK: Hooks

  /// Calls the start hook, unless that is done. Returns why there is no worker: it failed, or the pool is closed.
  func start() async -> TaskError? {
    switch startOrJoin() {
    case .over(let problem): return problem
    case .running(let task): return await task.value
    }
  }

  /// The same for a caller that blocks: only while the hook is called.
  func startBlocking() -> TaskError? {
    switch startOrJoin() {
    case .over(let problem): return problem
    case .running(let task): return blocking { await task.value }
    }
  }

  /// Nothing begins any more. Whether there is something to wait for then, in `end`.
  func close() -> Bool {
    hook.withLock { hook in
      defer { hook.isClosed = true }
      return !hook.isClosed && hook.task != nil && configuration.exitHook != nil
    }
  }

  /// When no task runs, or the grace is over, calls the exit hook, unless the start hook has failed. After `close`.
  func end(within grace: Duration) async {
    let clock = ContinuousClock()
    let end = clock.now + min(grace, .seconds(1 << 32))
    while statistics.running > 0 || !hook.withLock({ $0.result != nil }), clock.now < end {
      // In a task of its own: this one may be cancelled, and then nothing sleeps in it.
      await Task.detached { try? await Task.sleep(for: .milliseconds(2)) }.value
    }
    guard hook.withLock({ $0.result.map { $0 == nil } ?? false }) else { return }
    do { try await configuration.exitHook?.callHere() } catch {
      StandardStreams.warn("the exit hook of a pool of 0 workers failed: it threw \(error)")
    }
  }

  private enum Start {
    case over(TaskError?)
    case running(Task<TaskError?, Never>)
  }

  private func startOrJoin() -> Start {
    hook.withLock { hook in
      if hook.isClosed { return .over(TaskError(PoolProblem.closed)) }
      guard configuration.startHook != nil || configuration.exitHook != nil else { return .over(nil) }
      if let result = hook.result { return .over(result) }
      let task = hook.task ?? Task.detached { await self.callStartHook() }
      hook.task = task
      return .running(task)
    }
  }

  private func callStartHook() async -> TaskError? {
    var problem: TaskError?
    do { try await configuration.startHook?.callHere() } catch {
      problem = TaskError(
        .startUpFailed,
        "the pool's start hook failed: it threw \(String(reflecting: type(of: error))): \(error)",
        underlying: error)
    }
    hook.withLock { $0.result = .some(problem) }
    return problem
  }
}

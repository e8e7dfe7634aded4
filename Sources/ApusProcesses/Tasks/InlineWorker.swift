import ApusEngine
import ApusSystem

/// The one worker of a pool without workers, which is the caller's process: its start hook is called before the first task,
/// and its exit hook when the pool is shut down.
final class InlineWorker: Sendable {
  private let configuration: ProcessPool.Configuration
  private let start = Locked<Task<TaskError?, Never>?>(nil)
  private let counts = Locked(PoolStatistics())

  init(_ configuration: ProcessPool.Configuration) { self.configuration = configuration }

  var statistics: PoolStatistics { counts.withLock { $0 } }

  private var hasHooks: Bool { configuration.startHook != nil || configuration.exitHook != nil }

  // MARK: Tasks

  func begin() {
    counts.withLock { counts in
      counts.submitted += 1
      counts.running += 1
    }
  }

  func end<Output>(_ result: Result<Output, TaskError>) -> Result<Output, TaskError> {
    counts.withLock { counts in
      counts.running -= 1
      switch result {
      case .success: counts.succeeded += 1
      case .failure(let error) where error.code == .cancelled: counts.cancelled += 1
      case .failure: counts.failed += 1
      }
    }
    return result
  }

  // MARK: Hooks

  /// The same for a caller that blocks.
  func startBlocking() -> TaskError? { hasHooks ? blocking { await self.start() } : nil }

  /// Calls the start hook, unless that is done. Returns why there is no worker, if it failed.
  func start() async -> TaskError? {
    guard hasHooks else { return nil }
    let task = start.withLock { start in
      let task =
        start
        ?? Task.detached { [hook = configuration.startHook] in
          do { try await hook?.callHere() } catch {
            return TaskError(
              .startUpFailed,
              "the pool's start hook failed: it threw \(String(reflecting: type(of: error))): \(error)",
              underlying: error)
          }
          return nil
        }
      start = task
      return task
    }
    return await task.value
  }

  /// Calls the exit hook, if the start hook was called and did not fail.
  func end() async {
    let task = start.withLock { start in
      defer { start = nil }
      return start
    }
    guard let task, await task.value == nil else { return }
    do { try await configuration.exitHook?.callHere() } catch {
      StandardStreams.warn("the exit hook of a pool of 0 workers failed: it threw \(error)")
    }
  }
}

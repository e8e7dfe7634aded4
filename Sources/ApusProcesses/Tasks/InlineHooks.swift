import ApusSystem

/// The hooks of a pool without workers. The caller's process is its one worker: the start hook is called before the first
/// task, and the exit hook when the pool is shut down.
final class InlineHooks: Sendable {
  private let configuration: ProcessPool.Configuration
  private let start = Locked<Task<TaskError?, Never>?>(nil)

  /// Nil if there are none.
  init?(_ configuration: ProcessPool.Configuration) {
    guard configuration.startHook != nil || configuration.exitHook != nil else { return nil }
    self.configuration = configuration
  }

  /// Calls the start hook, unless that is done. Returns why there is no worker, if it failed.
  func start() async -> TaskError? {
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

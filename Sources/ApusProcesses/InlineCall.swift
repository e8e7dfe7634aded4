import ApusCore
import Synchronization

/// Runs tasks in the caller, for pools without workers.
struct InlineCall<Input: Codable & Sendable, Output: Codable & Sendable> {
  let function: RemoteFunction<Input, Output>

  func run(_ input: Input, task: Int) async -> Result<Output, TaskError> {
    do {
      try Task.checkCancellation()
      switch function.local {
      case .plain(let body): return .success(try body()(input))
      case .async(let body): return .success(try await body()(input))
      }
    } catch { return .failure(Self.error(error, task)) }
  }

  func runBlocking(_ input: Input, task: Int) -> Result<Output, TaskError> {
    switch function.local {
    case .plain(let body):
      do { return .success(try body()(input)) } catch { return .failure(Self.error(error, task)) }
    case .async:
      let done = NativeSemaphore()
      let result = ResultBox<Output>()
      Task.detached { [self] in
        result.value.withLock { [outcome = await run(input, task: task)] in $0 = outcome }
        done.signal()
      }
      done.wait()
      return result.value.withLock { $0! }
    }
  }

  private static func error(_ error: any Error, _ task: Int) -> TaskError {
    if error is CancellationError { return TaskError(.cancelled, "the task was cancelled", task: task) }
    return TaskError(FailureReport(.call, error), task: task)
  }
}

private final class ResultBox<Output: Sendable>: Sendable {
  let value = Mutex<Result<Output, TaskError>?>(nil)
}

import ApusEngine
import ApusSystem
import ApusWire
import Synchronization

/// Runs tasks in the caller, for pools without workers: the same options, errors and cancellation as with them.
struct InlineCall<Input: Codable & Sendable, Output: Codable & Sendable>: Sendable {
  private let function: RemoteFunction<Input, Output>
  private let worker: InlineWorker
  private let progress: Progress?

  /// How far the call has come.
  private final class Progress: Sendable {
    private let tell: @Sendable (CallProgress) -> Void
    private let total: Int?
    private let counts = Locked((done: 0, failed: 0))

    init(_ tell: @escaping @Sendable (CallProgress) -> Void, total: Int?) {
      (self.tell, self.total) = (tell, total)
    }

    func count(_ hasFailed: Bool) {
      let now = counts.withLock { counts in
        counts = (counts.done + 1, counts.failed + (hasFailed ? 1 : 0))
        return counts
      }
      tell(CallProgress(done: now.done, failed: now.failed, total: total))
    }
  }

  /// Throws `TaskError` if the pool is closed, an option is out of range, or a worker could not call the function.
  init(_ function: RemoteFunction<Input, Output>, _ options: CallOptions, _ pool: ProcessPool) throws {
    if pool.isClosed.withLock({ $0 }) { throw TaskError(PoolProblem.closed) }
    _ = try options.forEngine(pool.configuration)
    _ = try TaskError.naming(function.source.definition)
    // There is one in each pool without an engine, and no others come here.
    (self.function, worker) = (function, pool.inline!)
    progress = pool.configuration.progress.map { Progress($0, total: options.total) }
  }

  /// Throws `CancellationError` if the caller's task is cancelled by the time that the body has returned.
  func value(_ input: Input, task: Int) async throws -> Output {
    try Task.checkCancellation()
    let outcome = await run(input, task: task)
    try Task.checkCancellation()
    return try outcome.get()
  }

  func run(_ input: Input, task: Int) async -> Result<Output, TaskError> {
    worker.begin()
    return over(await outcome(input, task: task))
  }

  private func over(_ result: Result<Output, TaskError>) -> Result<Output, TaskError> {
    worker.end(result)
    if let progress {
      if case .failure = result { progress.count(true) } else { progress.count(false) }
    }
    return result
  }

  private func outcome(_ input: Input, task: Int) async -> Result<Output, TaskError> {
    if Task.isCancelled { return .failure(TaskError(.stopped(.cancelled, limit: nil), task: task)) }
    if let problem = await worker.start() { return .failure(problem) }
    do {
      switch function.local {
      case .plain(let body): return .success(try body()(input))
      case .async(let body): return .success(try await body()(input))
      }
    } catch { return .failure(TaskError(FailureReport(.call, error), task: task)) }
  }

  func runBlocking(_ input: Input, task: Int) -> Result<Output, TaskError> {
    switch function.local {
    case .plain(let body):
      worker.begin()
      if let problem = worker.startBlocking() { return over(.failure(problem)) }
      return over(
        Result { try body()(input) }.mapError { TaskError(FailureReport(.call, $0), task: task) })
    case .async: return blocking { await run(input, task: task) }
    }
  }
}

/// Runs `body` in a task of its own and blocks this thread until it is done.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) -> Value {
  let slot = Slot<Value>()
  let done = NativeSemaphore()
  Task.detached {
    let value = await body()
    slot.value.withLock { $0 = value }
    done.signal()
  }
  done.wait()
  return slot.value.withLock { $0! }
}

private final class Slot<Value: Sendable>: Sendable {
  let value = Locked<Value?>(nil)
}

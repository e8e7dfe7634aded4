import ApusCore
import Synchronization

/// A task that was given to a pool with `submit`.
public final class TaskHandle<Output: Codable & Sendable>: Sendable {
  /// How far a task is.
  public enum State: Sendable, Hashable {
    /// It waits for a worker.
    case pending
    /// A worker is at it.
    case running
    /// It has a value, or has failed.
    case finished
  }

  private let task: Task<Output, any Error>
  private let completion: Completion
  private let look: @Sendable () -> State

  /// Lets threads wait for what a Swift task makes.
  private final class Completion: Sendable {
    private let outcome = Locked<Result<Output, any Error>?>(nil)
    private let done = NativeSemaphore()

    func finish(_ body: () async throws -> Output) async throws -> Output {
      do {
        let value = try await body()
        outcome.withLock { $0 = .success(value) }
        done.signal()
        return value
      } catch {
        outcome.withLock { $0 = .failure(error) }
        done.signal()
        throw error
      }
    }

    var isOver: Bool { outcome.withLock { $0 != nil } }

    func wait() throws -> Output {
      done.wait()
      done.signal()  // for the next one that waits
      return try outcome.withLock { $0! }.get()
    }
  }

  init<Input>(_ call: SingleCall<Input, Output>, _ input: Input) {
    let completion = Completion()
    self.completion = completion
    do {
      guard let engine = call.pool.engine else {
        let inline = try call.inline()
        task = Task.detached {
          try await completion.finish { try await inline.value(input, task: 0) }
        }
        look = { completion.isOver ? .finished : .running }
        return
      }
      let begun = try call.begin(engine, input)
      let job = begun.job
      task = Task.detached {
        try await completion.finish { try await call.value(of: begun) }
      }
      look = { engine.state(of: job) }
    } catch {
      task = Task.detached { try await completion.finish { throw error } }
      look = { .finished }
    }
  }

  /// The task's value, once it is there.
  ///
  /// Throws `TaskError` if the task failed, `CancellationError` if it was cancelled.
  public var value: Output {
    get async throws { try await task.value }
  }

  /// Blocks until the task's value is there.
  ///
  /// Throws `TaskError` if the task failed, `CancellationError` if it was cancelled.
  @available(*, noasync, message: "await `value`")
  public func wait() throws -> Output {
    try completion.wait()
  }

  /// Gives up on the task. If it waits, it never runs; if it runs, it is asked to stop, and its worker is
  /// killed if it does not within the pool's grace period.
  public func cancel() { task.cancel() }

  /// Whether `cancel` was called.
  public var isCancelled: Bool { task.isCancelled }

  /// How far the task is.
  public var state: State { look() }
}

extension PoolEngine {
  func state<Output>(of job: EngineJob) -> TaskHandle<Output>.State {
    switch stage(of: job) {
    case .queued: .pending
    case .begun: .running
    case .over: .finished
    }
  }
}

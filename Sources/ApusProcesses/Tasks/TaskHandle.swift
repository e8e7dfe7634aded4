import ApusEngine
import CApus
import ApusSystem
import Synchronization

/// A task that was given to a pool with `submit`.
public final class TaskHandle<Output: Sendable>: Sendable {
  /// How far a task is.
  public enum State: Sendable, Hashable {
    /// It waits for a worker.
    case pending
    /// A worker is at it.
    case running
    /// It has a value, or has failed.
    case finished
  }

  private enum Source: Sendable {
    /// In a worker; the value is decoded by whoever asks for it.
    case begun(PoolEngine, EngineJob, value: @Sendable () throws -> Output)
    /// In this process, for pools without workers.
    case inline(Task<Void, Never>, Locked<Result<Output, any Error>?>)
    case failed(any Error)
  }

  private let source: Source
  private let completion = Completion()
  private let wasCancelled = Locked(false)

  /// - Parameter result: What the value that travels is to the caller.
  init<Input, Value>(
    _ call: SingleCall<Input, Value>, _ input: Input, _ result: @escaping @Sendable (Value) -> Output
  ) {
    let completion = completion
    do {
      guard let engine = call.pool.engine else {
        let inline = try call.inline()
        let outcome = Locked<Result<Output, any Error>?>(nil)
        let task = Task.detached {
          let value: Result<Output, any Error>
          do { value = .success(result(try await inline.value(input, task: 0))) } catch {
            value = .failure(error)
          }
          outcome.withLock { $0 = value }
          completion.finish()
        }
        source = .inline(task, outcome)
        return
      }
      let begun = try call.begin(engine, input)
      source = .begun(engine, begun.job) { result(try begun.value()) }
      // The pool lives until the task is over, also if nobody keeps either.
      let isRunning = engine.whenOver(begun.job) { [pool = call.pool] in
        begun.end()
        completion.finish()
        withExtendedLifetime(pool) {}
      }
      if !isRunning {
        begun.end()
        completion.finish()
      }
    } catch {
      source = .failed(error)
      completion.finish()
    }
  }

  /// The task's value, once it is there.
  ///
  /// Throws `TaskError` if the task failed, `CancellationError` if it was cancelled.
  public var value: Output {
    get async throws {
      await completion.suspend()
      if case .begun(let engine, _, _) = source { await engine.outputIsSettled() }
      return try finishedValue()
    }
  }

  /// Blocks until the task's value is there.
  ///
  /// Throws `TaskError` if the task failed, `CancellationError` if it was cancelled.
  @available(*, noasync, message: "await `value`")
  public func wait() throws -> Output {
    waitUntilOver()
    if case .begun(let engine, _, _) = source { engine.settleOutput() }
    return try finishedValue()
  }

  /// The task's value, if it is there within `limit`.
  ///
  /// Throws `TaskError`: `waitTimedOut` if it is not, and the task goes on; else as `value` does.
  public func value(within limit: Duration) async throws -> Output {
    if !completion.isOver {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { [completion] in await completion.suspendUnlessCancelled() }
        group.addTask { try await Task.sleep(for: limit) }
        defer { group.cancelAll() }
        try await group.next()
      }
      try Task.checkCancellation()
      guard completion.isOver else { throw Self.timedOut(limit) }
    }
    return try await value
  }

  /// Blocks until the task's value is there, but not for longer than `limit`: for callers that have other things to look at,
  /// such as the signals of another language's runtime.
  ///
  /// Throws `TaskError`: `waitTimedOut` if it is not there by then, and the task goes on; else as `wait` does.
  @available(*, noasync, message: "await `value(within:)`")
  public func wait(within limit: Duration) throws -> Output {
    if case .begun(let engine, _, _) = source, engine.tellForks() { return try wait() }
    let isOver = completion.isOver || whileWaiting { completion.wait(atMost: limit.inNanoseconds) }
    guard isOver else { throw Self.timedOut(limit) }
    return try wait()
  }

  private static func timedOut(_ limit: Duration) -> TaskError {
    TaskError(.waitTimedOut, "the task was not done after \(limit), and goes on")
  }

  private func waitUntilOver() {
    if completion.isOver { return }
    if case .begun(let engine, _, _) = source, engine.tellForks() { return }
    whileWaiting { completion.wait() }
  }

  private func whileWaiting<Result>(_ body: () -> Result) -> Result {
    if case .begun(let engine, _, _) = source { return engine.output.whileWaiting(body) }
    return body()
  }

  private func finishedValue() throws -> Output {
    switch source {
    case .begun(let engine, let job, let value):
      if engine.isCancelled(job) { throw CancellationError() }
      return try value()
    case .inline(_, let outcome): return try outcome.withLock { $0! }.get()
    case .failed(let error): throw error
    }
  }

  /// Gives up on the task. If it waits, it never runs; if it runs, it is asked to stop, and its worker is
  /// killed if it does not within the pool's grace period.
  public func cancel() {
    wasCancelled.withLock { $0 = true }
    switch source {
    case .begun(let engine, let job, _): engine.cancel(job)
    case .inline(let task, _): task.cancel()
    case .failed: break
    }
  }

  /// Whether `cancel` was called.
  public var isCancelled: Bool { wasCancelled.withLock { $0 } }

  /// How far the task is.
  public var state: State {
    if completion.isOver { return .finished }
    guard case .begun(let engine, let job, _) = source else { return .running }
    return switch engine.stage(of: job) {
    case .queued: .pending
    case .begun: .running
    case .over: .finished
    }
  }
}

/// Something that is over once, and whoever waits for it: threads and tasks.
private final class Completion: Sendable {
  private let suspended = Locked<[UnsafeContinuation<Void, Never>]>([])
  /// Those who wait for a while only.
  private let cancellable = Locked<[UInt64: UnsafeContinuation<Void, Never>]>([:])
  private static let waiters = Atomic<UInt64>(0)
  private let done = NativeSemaphore()
  // Not behind the lock, which a fork may find taken.
  private let isFinished = Atomic<Bool>(false)

  var isOver: Bool { isFinished.load(ordering: .acquiring) }

  func finish() {
    let suspended = suspended.withLock { suspended in
      isFinished.store(true, ordering: .releasing)
      defer { suspended = [] }
      return suspended
    }
    for continuation in suspended { continuation.resume() }
    let cancellable = cancellable.withLock { waiters in
      defer { waiters = [:] }
      return waiters
    }
    for continuation in cancellable.values { continuation.resume() }
    done.signal()
  }

  func suspend() async {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      let mustWait = suspended.withLock { suspended in
        if isOver { return false }
        suspended.append(continuation)
        return true
      }
      if !mustWait { continuation.resume() }
    }
  }

  /// The same, but a cancelled caller waits no longer.
  func suspendUnlessCancelled() async {
    let id = Self.waiters.add(1, ordering: .relaxed).newValue
    await withTaskCancellationHandler {
      await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
        let mustWait = cancellable.withLock { waiters in
          if isOver || Task.isCancelled { return false }
          waiters[id] = continuation
          return true
        }
        if !mustWait { continuation.resume() }
      }
    } onCancel: {
      cancellable.withLock { $0.removeValue(forKey: id) }?.resume()
    }
  }

  func wait() {
    done.wait()
    done.signal()  // for the next one that waits
  }

  /// False if it is not over in time.
  func wait(atMost limit: UInt64) -> Bool {
    guard done.wait(until: apus_now() &+ min(limit, UInt64(Int64.max) / 2)) else { return false }
    done.signal()
    return true
  }
}

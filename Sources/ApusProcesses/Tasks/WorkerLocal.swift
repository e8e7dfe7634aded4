import ApusSystem

/// A value that each worker has for itself: what a start hook makes, and tasks use.
///
/// ```swift
/// enum Shop { static let database = WorkerLocal<Database>() }
///
/// var configuration = ProcessPool.Configuration()
/// configuration.onWorkerStart(with: path) { path in Shop.database.set(try Database(path)) }
/// configuration.onWorkerExit { try Shop.database.withValue { $0.close() } }
///
/// try await withProcessPool(configuration: configuration) { pool in
///   let totals = try await pool.map(customers) { name in try Shop.database.withValue { try $0.total(of: name) } }
/// }
/// ```
///
/// Keep it in a `static let`. A worker is a process, so any variable of the program is its own there; this one need not be
/// `Sendable`, is safe to use from a task's own threads, and says so when it was not set.
public final class WorkerLocal<Value>: @unchecked Sendable {
  // Sound: `value` is used with the lock held. Who holds it and comes again is told of overlapping accesses by the runtime,
  // instead of waiting for itself.
  private let lock = Lock.recursive()
  private var value: Value?

  /// A value that is not set yet.
  public init() {}

  /// Sets the value of this process. The one before is let go.
  public func set(_ value: sending Value) {
    lock.lock()
    let before = self.value
    self.value = value
    lock.unlock()
    withExtendedLifetime(before) {}
  }

  /// Calls `body` with the value of this process. Other threads that want it wait meanwhile.
  ///
  /// - Returns: What `body` returns.
  /// - Throws: `TaskError` (`invalidArgument`) if no value was set in this process; what `body` throws.
  public func withValue<Result>(_ body: (inout sending Value) throws -> sending Result) throws
    -> sending Result
  {
    lock.lock()
    defer { lock.unlock() }
    guard value != nil else {
      throw TaskError(
        .invalidArgument,
        "no \(Value.self) was set in this process: set it in the pool's start hook (`onWorkerStart`)")
    }
    return try body(&value!)
  }
}

package import ApusEngine
package import ApusWire

extension ProcessPool.Configuration {
  /// Has `body` called in each new worker, before its first task: to open a database, load a model, set a library up.
  ///
  /// If it throws or traps, the worker has failed to start: another one is tried, and `startUpFailed` says the reason
  /// once none could. It counts for `startUpLimit`. In a pool of 0 workers it is called in the caller, before the first
  /// task. What it makes can be kept in a `static let` of type `WorkerLocal`. A second call takes the place of the first.
  public mutating func onWorkerStart(
    _ body: @autoclosure @escaping @Sendable () -> @Sendable () throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    startHook = Hook("start", RemoteFunction(action: body, at: CallPlace(fileID, line)), Nothing())
  }

  /// Has `body` called in each new worker, before its first task.
  public mutating func onWorkerStart(
    _ body: @autoclosure @escaping @Sendable () -> @Sendable () async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    startHook = Hook("start", RemoteFunction(action: body, at: CallPlace(fileID, line)), Nothing())
  }

  /// Has `body` called with a value in each new worker, before its first task. The value is sent to each.
  @inlinable
  public mutating func onWorkerStart<Value: Codable & Sendable>(
    with value: Value, _ body: @autoclosure @escaping @Sendable () -> @Sendable (Value) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    callAtStart(RemoteFunction<Value, Void>(_making: body, fileID, line), value)
  }

  /// Has `body` called with a value in each new worker, before its first task. The value is sent to each.
  @inlinable
  public mutating func onWorkerStart<Value: Codable & Sendable>(
    with value: Value, _ body: @autoclosure @escaping @Sendable () -> @Sendable (Value) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    callAtStart(RemoteFunction<Value, Void>(_making: body, fileID, line), value)
  }

  @usableFromInline
  mutating func callAtStart<Value: Codable & Sendable>(
    _ function: RemoteFunction<Value, Void>, _ value: Value
  ) {
    startHook = Hook("start", function.returningNothing, value)
  }

  /// Has `body` called in each worker after its last task: when the pool is shut down, and before a worker is replaced
  /// because of `tasksPerWorker`.
  ///
  /// Not in a worker that dies, nor when the pool is ended at once: by a grace period of zero, by an error that leaves
  /// `withProcessPool`, by letting go of it. It has what is left of the time that `shutdown(gracePeriod:)` gives, 5 s if nothing
  /// is said, and a quarter of a second at least; in a worker that is replaced as long as a start may take (`startUpLimit`).
  /// What it throws is told on standard error and as an event.
  public mutating func onWorkerExit(
    _ body: @autoclosure @escaping @Sendable () -> @Sendable () throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    exitHook = Hook("exit", RemoteFunction(action: body, at: CallPlace(fileID, line)), Nothing())
  }

  /// Has `body` called in each worker after its last task.
  public mutating func onWorkerExit(
    _ body: @autoclosure @escaping @Sendable () -> @Sendable () async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    exitHook = Hook("exit", RemoteFunction(action: body, at: CallPlace(fileID, line)), Nothing())
  }

  /// What workers call before their first task, or after their last one.
  package struct Hook: Sendable {
    /// Makes it what the engine sends. Throws `TaskError` if it can't be named or its value not be encoded.
    package let forEngine: @Sendable () throws -> WorkerHook
    /// Calls it in this process. Throws what it throws.
    let callHere: @Sendable () async throws -> Void

    init<Value>(_ name: String, _ function: RemoteFunction<Value, Nothing>, _ value: Value) {
      forEngine = {
        let definition = try TaskError.naming { try function.source.definition() }
        let bytes = ByteBuffer(capacity: 64)
        do { try function.codecs.encode(value, into: bytes) } catch {
          throw TaskError(
            .argumentNotEncodable, "the value for the \(name) hook could not be encoded: \(error)",
            underlying: error)
        }
        if let strides = definition.strides { bytes.pad(to: strides.input) }
        return WorkerHook(definition, bytes, name: name)
      }
      callHere = {
        switch function.local {
        case .plain(let body): _ = try body()(value)
        case .async(let body): _ = try await body()(value)
        }
      }
    }
  }
}

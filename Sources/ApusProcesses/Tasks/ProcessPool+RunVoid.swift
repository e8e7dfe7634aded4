import ApusWire

extension ProcessPool {
  /// Calls a function that returns nothing once, in a worker.
  ///
  /// - Throws: `TaskError` if the task failed; `CancellationError` if the caller's task was cancelled.
  public func run<Input: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ function: RemoteFunction<Input, Void>
  ) async throws {
    _ = try await run(input, timeLimit: timeLimit, retries: retries, function.returningNothing)
  }

  /// Calls a body that returns nothing once, in a worker.
  @inlinable
  public func run<Input: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws {
    try await run(input, timeLimit: timeLimit, retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body that returns nothing once, in a worker.
  @inlinable
  public func run<Input: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws {
    try await run(input, timeLimit: timeLimit, retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body that returns nothing once, in a worker.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func run<Input: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws {
    try await run(
      input, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Calls a body that returns nothing once, in a worker.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func run<Input: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws {
    try await run(
      input, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }
}

extension ProcessPool {
  /// Calls a function that returns nothing once, in a worker, and blocks until it has returned.
  ///
  /// - Throws: `TaskError` if the task failed.
  @available(*, noasync, message: "await the asynchronous form")
  public func run<Input: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ function: RemoteFunction<Input, Void>
  ) throws {
    _ = try run(input, timeLimit: timeLimit, retries: retries, function.returningNothing)
  }

  /// Calls a body that returns nothing once, in a worker, and blocks until it has returned.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func run<Input: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws {
    try run(input, timeLimit: timeLimit, retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body that returns nothing once, in a worker, and blocks until it has returned.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func run<Input: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws {
    try run(input, timeLimit: timeLimit, retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body that returns nothing once, in a worker, and blocks until it has returned.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func run<Input: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws {
    try run(
      input, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Calls a body that returns nothing once, in a worker, and blocks until it has returned.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func run<Input: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws {
    try run(
      input, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }
}

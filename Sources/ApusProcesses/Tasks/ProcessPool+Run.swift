import ApusWire

extension ProcessPool {
  /// Calls a function once, in a worker.
  ///
  /// - Throws: `TaskError` if the task failed; `CancellationError` if the caller's task was cancelled.
  public func run<Input: Codable & Sendable, Output: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ function: RemoteFunction<Input, Output>
  ) async throws -> Output {
    try await SingleCall(pool: self, function: function, timeLimit: timeLimit, retries: retries).value(input)
  }

  /// Calls a body once, in a worker.
  @inlinable
  public func run<Input: Codable & Sendable, Output: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws -> Output {
    try await run(input, timeLimit: timeLimit, retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body once, in a worker.
  @inlinable
  public func run<Input: Codable & Sendable, Output: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws -> Output {
    try await run(input, timeLimit: timeLimit, retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body once, in a worker.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func run<Input: Codable & Sendable, Output: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws -> Output {
    try await run(
      input, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Calls a body once, in a worker.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func run<Input: Codable & Sendable, Output: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws -> Output {
    try await run(
      input, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }
}

extension ProcessPool {
  /// Calls a function once, in a worker, and blocks until it has returned.
  ///
  /// - Throws: `TaskError` if the task failed.
  @available(*, noasync, message: "await the asynchronous form")
  public func run<Input: Codable & Sendable, Output: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ function: RemoteFunction<Input, Output>
  ) throws -> Output {
    try SingleCall(pool: self, function: function, timeLimit: timeLimit, retries: retries).blockingValue(
      input)
  }

  /// Calls a body once, in a worker, and blocks until it has returned.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func run<Input: Codable & Sendable, Output: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws -> Output {
    try run(input, timeLimit: timeLimit, retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body once, in a worker, and blocks until it has returned.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func run<Input: Codable & Sendable, Output: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws -> Output {
    try run(input, timeLimit: timeLimit, retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body once, in a worker, and blocks until it has returned.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func run<Input: Codable & Sendable, Output: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws -> Output {
    try run(
      input, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Calls a body once, in a worker, and blocks until it has returned.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func run<Input: Codable & Sendable, Output: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws -> Output {
    try run(
      input, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }
}

import ApusWire

extension ProcessPool {
  /// Calls a function that returns nothing on every input, in the workers, and returns when all calls have.
  ///
  /// ```swift
  /// try await pool.forEach(photos) { photo in try makeThumbnail(of: photo) }
  /// ```
  ///
  /// Calls run in any order, many at a time. The first task that fails ends the call: tasks that wait are dropped, those
  /// that run are cancelled, and nobody says which others are done. To hear of each, call `outcomes(of:)` with a body that
  /// returns `true`.
  ///
  /// - Parameters:
  ///   - inputs: Drawn as they are needed. An array of numbers is sent as it is.
  ///   - chunking: How many tasks go to a worker at a time.
  ///   - timeLimit: How long one task may take; nil: as the pool's configuration says.
  ///   - retries: How often a task is tried again after its worker died; nil: as the pool's configuration says.
  ///   - function: What to call. It runs in another process: see `RemoteFunction`.
  /// - Throws: `TaskError` for the first task that failed; `CancellationError` if the caller's task was cancelled.
  /// - Complexity: O(*n*) messages at most, one a chunk; a byte or two of memory an input.
  public func forEach<Inputs: Sequence<Input>, Input: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ function: RemoteFunction<Input, Void>
  ) async throws {
    _ = try await map(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries, function.returningNothing)
  }

  /// Calls a body that returns nothing on every input, in the workers, and returns when all calls have.
  @inlinable
  public func forEach<Inputs: Sequence<Input>, Input: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws {
    try await forEach(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body that returns nothing on every input, in the workers, and returns when all calls have.
  @inlinable
  public func forEach<Inputs: Sequence<Input>, Input: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws {
    try await forEach(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body that returns nothing on every input, in the workers, and returns when all calls have.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func forEach<Inputs: Sequence<Input>, Input: Codable & Sendable, Context: Codable & Sendable>(
    _ inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws {
    try await forEach(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Calls a body that returns nothing on every input, in the workers, and returns when all calls have.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func forEach<Inputs: Sequence<Input>, Input: Codable & Sendable, Context: Codable & Sendable>(
    _ inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws {
    try await forEach(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }
}

extension ProcessPool {
  /// Calls a function that returns nothing on every input, in the workers, and blocks until all calls have returned.
  ///
  /// The blocking form of `forEach`, for synchronous code: the calling thread itself looks after the workers meanwhile.
  ///
  /// - Throws: `TaskError` for the first task that failed.
  @available(*, noasync, message: "await the asynchronous form")
  public func forEach<Inputs: Sequence<Input>, Input: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ function: RemoteFunction<Input, Void>
  ) throws {
    _ = try map(inputs, chunking: chunking, timeLimit: timeLimit, retries: retries, function.returningNothing)
  }

  /// Calls a body that returns nothing on every input, in the workers, and blocks until all calls have returned.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func forEach<Inputs: Sequence<Input>, Input: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws {
    try forEach(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body that returns nothing on every input, in the workers, and blocks until all calls have returned.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func forEach<Inputs: Sequence<Input>, Input: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws {
    try forEach(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body that returns nothing on every input, in the workers, and blocks until all calls have returned.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func forEach<Inputs: Sequence<Input>, Input: Codable & Sendable, Context: Codable & Sendable>(
    _ inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws {
    try forEach(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Calls a body that returns nothing on every input, in the workers, and blocks until all calls have returned.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func forEach<Inputs: Sequence<Input>, Input: Codable & Sendable, Context: Codable & Sendable>(
    _ inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws {
    try forEach(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }
}

import ApusWire

extension ProcessPool {
  /// Calls a function on every input, in the workers, and returns the results in the order of the inputs.
  ///
  /// The first task that fails ends the call: tasks that wait are dropped, those that run are cancelled. To have
  /// every task's outcome instead, use `outcomes`.
  ///
  /// - Parameters:
  ///   - inputs: Drawn as they are needed. An array of numbers is sent as it is.
  ///   - chunking: How many tasks go to a worker at a time.
  ///   - timeLimit: How long one task may take; nil: as the pool's configuration says.
  ///   - retries: How often a task is tried again after its worker died; nil: as the pool's configuration says.
  ///   - function: What to call. It runs in another process: see `RemoteFunction`.
  /// - Returns: One result an input.
  /// - Throws: `TaskError` for the first task that failed; `CancellationError` if the caller's task was cancelled.
  /// - Complexity: O(*n*) messages at most, one a chunk.
  public func map<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ function: RemoteFunction<Input, Output>
  ) async throws -> [Output] {
    try await Collecting(
      pool: self, function: function,
      options: CallOptions(chunking: chunking, timeLimit: timeLimit, retries: retries)
    ).values(inputs)
  }

  /// Calls a body on every input, in the workers, and returns the results in the order of the inputs.
  @inlinable
  public func map<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws -> [Output] {
    try await map(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and returns the results in the order of the inputs.
  @inlinable
  public func map<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws -> [Output] {
    try await map(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and returns the results in the order of the inputs.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func map<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    _ inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws -> [Output] {
    try await map(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and returns the results in the order of the inputs.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func map<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    _ inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws -> [Output] {
    try await map(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }
}

extension ProcessPool {
  /// Calls a function on every input, in the workers, and blocks until all results are there.
  ///
  /// The blocking form of `map`, for synchronous code: the calling thread itself looks after the workers meanwhile.
  ///
  /// - Returns: One result an input, in the order of the inputs.
  /// - Throws: `TaskError` for the first task that failed.
  @available(*, noasync, message: "await the asynchronous form")
  public func map<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ function: RemoteFunction<Input, Output>
  ) throws -> [Output] {
    try Collecting(
      pool: self, function: function,
      options: CallOptions(chunking: chunking, timeLimit: timeLimit, retries: retries)
    ).blockingValues(inputs)
  }

  /// Calls a body on every input, in the workers, and blocks until all results are there.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func map<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws -> [Output] {
    try map(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and blocks until all results are there.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func map<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws -> [Output] {
    try map(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and blocks until all results are there.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func map<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    _ inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws -> [Output] {
    try map(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and blocks until all results are there.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func map<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    _ inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws -> [Output] {
    try map(
      inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }
}

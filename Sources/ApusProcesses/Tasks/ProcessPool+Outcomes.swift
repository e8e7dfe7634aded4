import ApusWire

extension ProcessPool {
  /// Calls a function on every input, in the workers, and returns what became of each, in the order of the inputs.
  ///
  /// Nothing that happens to one task keeps the others from their results: not an error that it throws, not the
  /// death of its worker. The parameters are those of `map`.
  ///
  /// - Returns: One outcome an input. If the caller's task is cancelled, those that are not done are cancelled.
  public func outcomes<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    of inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ function: RemoteFunction<Input, Output>
  ) async -> [Result<Output, TaskError>] {
    await Collecting(
      pool: self, function: function,
      options: CallOptions(chunking: chunking, timeLimit: timeLimit, retries: retries)
    ).outcomes(inputs)
  }

  /// Calls a body on every input, in the workers, and returns what became of each, in the order of the inputs.
  @inlinable
  public func outcomes<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    of inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async -> [Result<Output, TaskError>] {
    await outcomes(
      of: inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and returns what became of each, in the order of the inputs.
  @inlinable
  public func outcomes<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    of inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async -> [Result<Output, TaskError>] {
    await outcomes(
      of: inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and returns what became of each, in the order of the inputs.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func outcomes<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    of inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async -> [Result<Output, TaskError>] {
    await outcomes(
      of: inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and returns what became of each, in the order of the inputs.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func outcomes<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    of inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async -> [Result<Output, TaskError>] {
    await outcomes(
      of: inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }
}

extension ProcessPool {
  /// Calls a function on every input, in the workers, and blocks until it is known what became of each.
  ///
  /// The blocking form of `outcomes`.
  @available(*, noasync, message: "await the asynchronous form")
  public func outcomes<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    of inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ function: RemoteFunction<Input, Output>
  ) -> [Result<Output, TaskError>] {
    Collecting(
      pool: self, function: function,
      options: CallOptions(chunking: chunking, timeLimit: timeLimit, retries: retries)
    ).blockingOutcomes(inputs)
  }

  /// Calls a body on every input, in the workers, and blocks until it is known what became of each.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func outcomes<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    of inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> [Result<Output, TaskError>] {
    outcomes(
      of: inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and blocks until it is known what became of each.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func outcomes<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    of inputs: Inputs, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> [Result<Output, TaskError>] {
    outcomes(
      of: inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and blocks until it is known what became of each.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func outcomes<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    of inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> [Result<Output, TaskError>] {
    outcomes(
      of: inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and blocks until it is known what became of each.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func outcomes<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    of inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> [Result<Output, TaskError>] {
    outcomes(
      of: inputs, chunking: chunking, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }
}

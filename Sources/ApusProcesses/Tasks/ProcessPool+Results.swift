import ApusWire

extension ProcessPool {
  /// Calls a function on every input, in the workers, and hands out the results as they come.
  ///
  /// Inputs are drawn as the results are asked for, `window` ahead at most: the sequence may be endless, the
  /// consumer slow, and memory stays bounded both ways.
  ///
  /// ```swift
  /// for try await page in pool.results(of: addresses, order: .completion, download) { … }
  /// ```
  ///
  /// - Parameters:
  ///   - inputs: A sequence, lazy or not.
  ///   - order: Whether a result waits for those of the inputs before it.
  ///   - window: How many inputs may be drawn and not handed out; nil: eight a worker. More lets short tasks go in
  ///     larger chunks.
  ///   - chunking: How many tasks go to a worker at a time.
  ///   - timeLimit: How long one task may take; nil: as the pool's configuration says.
  ///   - retries: How often a task is tried again after its worker died; nil: as the pool's configuration says.
  ///   - function: What to call.
  /// - Returns: A sequence that can be gone through once, with `for try await`, or with `next()` in synchronous code.
  ///   It throws the `TaskError` of a task that failed, and ends there; `nextOutcome()` does not.
  public func results<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    of inputs: Inputs, order: ResultOrder = .input, window: Int? = nil,
    chunking: Chunking = .automatic, timeLimit: Duration? = nil, retries: Int? = nil,
    _ function: RemoteFunction<Input, Output>
  ) -> TaskResults<Output> {
    TaskResults(
      pool: self, function: function, order: order,
      options: CallOptions(
        chunking: chunking, timeLimit: timeLimit, retries: retries, window: window, isEager: true),
      inputs: inputs)
  }

  /// Calls a body on every input, in the workers, and hands out the results as they come.
  @inlinable
  public func results<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    of inputs: Inputs, order: ResultOrder = .input, window: Int? = nil,
    chunking: Chunking = .automatic, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskResults<Output> {
    results(
      of: inputs, order: order, window: window, chunking: chunking, timeLimit: timeLimit,
      retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and hands out the results as they come.
  @inlinable
  public func results<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    of inputs: Inputs, order: ResultOrder = .input, window: Int? = nil,
    chunking: Chunking = .automatic, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskResults<Output> {
    results(
      of: inputs, order: order, window: window, chunking: chunking, timeLimit: timeLimit,
      retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and hands out the results as they come.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func results<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    of inputs: Inputs, with context: Context, order: ResultOrder = .input, window: Int? = nil,
    chunking: Chunking = .automatic, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskResults<Output> {
    results(
      of: inputs, order: order, window: window, chunking: chunking, timeLimit: timeLimit,
      retries: retries, RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Calls a body on every input, in the workers, and hands out the results as they come.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func results<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    of inputs: Inputs, with context: Context, order: ResultOrder = .input, window: Int? = nil,
    chunking: Chunking = .automatic, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskResults<Output> {
    results(
      of: inputs, order: order, window: window, chunking: chunking, timeLimit: timeLimit,
      retries: retries, RemoteFunction(_with: context, making: body, fileID, line))
  }
}

extension ProcessPool {
  /// Calls a function on every element of an asynchronous sequence, and hands out the results as they come.
  ///
  /// As for a synchronous sequence; a task of the caller's draws the inputs, `window` ahead at most.
  public func results<
    Inputs: AsyncSequence & Sendable, Input: Codable & Sendable, Output: Codable & Sendable
  >(
    of inputs: Inputs, order: ResultOrder = .input, window: Int? = nil,
    chunking: Chunking = .automatic, timeLimit: Duration? = nil, retries: Int? = nil,
    _ function: RemoteFunction<Input, Output>
  ) -> TaskResults<Output>
  where Inputs.Element == Input {
    TaskResults(
      pool: self, function: function, order: order,
      options: CallOptions(
        chunking: chunking, timeLimit: timeLimit, retries: retries, window: window, isEager: true),
      asynchronousInputs: inputs)
  }

  /// Calls a body on every element of an asynchronous sequence, and hands out the results as they come.
  @inlinable
  public func results<
    Inputs: AsyncSequence & Sendable, Input: Codable & Sendable, Output: Codable & Sendable
  >(
    of inputs: Inputs, order: ResultOrder = .input, window: Int? = nil,
    chunking: Chunking = .automatic, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskResults<Output>
  where Inputs.Element == Input {
    results(
      of: inputs, order: order, window: window, chunking: chunking, timeLimit: timeLimit,
      retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body on every element of an asynchronous sequence, and hands out the results as they come.
  @inlinable
  public func results<
    Inputs: AsyncSequence & Sendable, Input: Codable & Sendable, Output: Codable & Sendable
  >(
    of inputs: Inputs, order: ResultOrder = .input, window: Int? = nil,
    chunking: Chunking = .automatic, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskResults<Output>
  where Inputs.Element == Input {
    results(
      of: inputs, order: order, window: window, chunking: chunking, timeLimit: timeLimit,
      retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Calls a body on every element of an asynchronous sequence, and hands out the results as they come.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func results<
    Inputs: AsyncSequence & Sendable, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    of inputs: Inputs, with context: Context, order: ResultOrder = .input, window: Int? = nil,
    chunking: Chunking = .automatic, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskResults<Output>
  where Inputs.Element == Input {
    results(
      of: inputs, order: order, window: window, chunking: chunking, timeLimit: timeLimit,
      retries: retries, RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Calls a body on every element of an asynchronous sequence, and hands out the results as they come.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func results<
    Inputs: AsyncSequence & Sendable, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    of inputs: Inputs, with context: Context, order: ResultOrder = .input, window: Int? = nil,
    chunking: Chunking = .automatic, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskResults<Output>
  where Inputs.Element == Input {
    results(
      of: inputs, order: order, window: window, chunking: chunking, timeLimit: timeLimit,
      retries: retries, RemoteFunction(_with: context, making: body, fileID, line))
  }
}

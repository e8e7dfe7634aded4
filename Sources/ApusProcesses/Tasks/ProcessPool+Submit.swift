import ApusWire

extension ProcessPool {
  /// Gives a function to the pool to call once, and returns at once.
  ///
  /// - Returns: A handle to the task: its value, its state, and a way to cancel it.
  public func submit<Input: Codable & Sendable, Output: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ function: RemoteFunction<Input, Output>
  ) -> TaskHandle<Output> {
    TaskHandle(SingleCall(pool: self, function: function, timeLimit: timeLimit, retries: retries), input) {
      $0
    }
  }

  /// Gives a body to the pool to call once, and returns at once.
  @inlinable
  public func submit<Input: Codable & Sendable, Output: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskHandle<Output> {
    submit(input, timeLimit: timeLimit, retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Gives a body to the pool to call once, and returns at once.
  @inlinable
  public func submit<Input: Codable & Sendable, Output: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskHandle<Output> {
    submit(input, timeLimit: timeLimit, retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Gives a body to the pool to call once, and returns at once.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func submit<Input: Codable & Sendable, Output: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskHandle<Output> {
    submit(
      input, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Gives a body to the pool to call once, and returns at once.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func submit<Input: Codable & Sendable, Output: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskHandle<Output> {
    submit(
      input, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }
}

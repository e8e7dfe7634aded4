import ApusWire

extension ProcessPool {
  /// Gives the pool a function that returns nothing, to call once, and returns at once.
  ///
  /// - Returns: A handle to the task: whether it succeeded (`try await handle.value`), its state, and a way to cancel it.
  public func submit<Input: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ function: RemoteFunction<Input, Void>
  ) -> TaskHandle<Void> {
    let function = function.returningNothing
    return TaskHandle(
      SingleCall(pool: self, function: function, timeLimit: timeLimit, retries: retries), input
    ) { _ in }
  }

  /// Gives the pool a body that returns nothing, to call once, and returns at once.
  @inlinable
  public func submit<Input: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskHandle<Void> {
    submit(input, timeLimit: timeLimit, retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Gives the pool a body that returns nothing, to call once, and returns at once.
  @inlinable
  public func submit<Input: Codable & Sendable>(
    _ input: Input, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskHandle<Void> {
    submit(input, timeLimit: timeLimit, retries: retries, RemoteFunction(_making: body, fileID, line))
  }

  /// Gives the pool a body that returns nothing, to call once, and returns at once.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func submit<Input: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskHandle<Void> {
    submit(
      input, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// Gives the pool a body that returns nothing, to call once, and returns at once.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func submit<Input: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) -> TaskHandle<Void> {
    submit(
      input, timeLimit: timeLimit, retries: retries,
      RemoteFunction(_with: context, making: body, fileID, line))
  }
}

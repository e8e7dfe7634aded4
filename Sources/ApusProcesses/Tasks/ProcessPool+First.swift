import ApusWire

/// What a predicate answers: `Bool`, and no other type. Not part of the interface.
///
/// The predicates of `first(in:where:)` are generic over it because a function's place in the program can only be
/// taken where its result is generic; with `Bool` written out, the compiler would put a closure of its own around.
@_documentation(visibility: internal)
public protocol _TruthValue: Codable, Sendable {
  // Not a property, which every `Bool` would have.
  static func _isTrue(_ answer: Self) -> Bool
}

extension Bool: _TruthValue {
  /// Not part of the interface.
  @_documentation(visibility: internal)
  public static func _isTrue(_ answer: Bool) -> Bool { answer }
}

extension _TruthValue {
  var isTrue: Bool { Self._isTrue(self) }
}

extension ProcessPool {
  /// The first input, in their order, for which a function of the workers returns true; nil if there is none.
  ///
  /// Once it is known, no more inputs are drawn, tasks that wait are dropped and those that run are cancelled.
  ///
  /// - Throws: `TaskError` for a task before it that failed; `CancellationError` if the caller's task was cancelled.
  public func first<Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue>(
    in inputs: Inputs, timeLimit: Duration? = nil, retries: Int? = nil,
    where function: RemoteFunction<Input, Answer>
  ) async throws -> Input? {
    try await FirstMatch(
      pool: self, function: function, inputs: inputs, timeLimit: timeLimit, retries: retries
    ).find()
  }

  /// The first input, in their order, for which a body returns true in a worker; nil if there is none.
  @inlinable
  public func first<Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue>(
    in inputs: Inputs, timeLimit: Duration? = nil, retries: Int? = nil,
    where body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Answer,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws -> Input? {
    try await first(
      in: inputs, timeLimit: timeLimit, retries: retries, where: RemoteFunction(_making: body, fileID, line))
  }

  /// The first input, in their order, for which a body returns true in a worker; nil if there is none.
  @inlinable
  public func first<Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue>(
    in inputs: Inputs, timeLimit: Duration? = nil, retries: Int? = nil,
    where body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Answer,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws -> Input? {
    try await first(
      in: inputs, timeLimit: timeLimit, retries: retries, where: RemoteFunction(_making: body, fileID, line))
  }

  /// The first input, in their order, for which a body returns true in a worker; nil if there is none.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func first<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue, Context: Codable & Sendable
  >(
    in inputs: Inputs, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    where body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Answer,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws -> Input? {
    try await first(
      in: inputs, timeLimit: timeLimit, retries: retries,
      where: RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// The first input, in their order, for which a body returns true in a worker; nil if there is none.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @inlinable
  public func first<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue, Context: Codable & Sendable
  >(
    in inputs: Inputs, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    where body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Answer,
    fileID: StaticString = #fileID, line: UInt = #line
  ) async throws -> Input? {
    try await first(
      in: inputs, timeLimit: timeLimit, retries: retries,
      where: RemoteFunction(_with: context, making: body, fileID, line))
  }
}

extension ProcessPool {
  /// The first input, in their order, for which a function of the workers returns true; blocks until it is known.
  @available(*, noasync, message: "await the asynchronous form")
  public func first<Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue>(
    in inputs: Inputs, timeLimit: Duration? = nil, retries: Int? = nil,
    where function: RemoteFunction<Input, Answer>
  ) throws -> Input? {
    try FirstMatch(pool: self, function: function, inputs: inputs, timeLimit: timeLimit, retries: retries)
      .findBlocking()
  }

  /// The first input, in their order, for which a body returns true in a worker; blocks until it is known.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func first<Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue>(
    in inputs: Inputs, timeLimit: Duration? = nil, retries: Int? = nil,
    where body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Answer,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws -> Input? {
    try first(
      in: inputs, timeLimit: timeLimit, retries: retries, where: RemoteFunction(_making: body, fileID, line))
  }

  /// The first input, in their order, for which a body returns true in a worker; blocks until it is known.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func first<Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue>(
    in inputs: Inputs, timeLimit: Duration? = nil, retries: Int? = nil,
    where body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Answer,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws -> Input? {
    try first(
      in: inputs, timeLimit: timeLimit, retries: retries, where: RemoteFunction(_making: body, fileID, line))
  }

  /// The first input, in their order, for which a body returns true in a worker; blocks until it is known.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func first<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue, Context: Codable & Sendable
  >(
    in inputs: Inputs, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    where body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Answer,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws -> Input? {
    try first(
      in: inputs, timeLimit: timeLimit, retries: retries,
      where: RemoteFunction(_with: context, making: body, fileID, line))
  }

  /// The first input, in their order, for which a body returns true in a worker; blocks until it is known.
  ///
  /// `context` is sent once to each worker and handed to every call of the body. Another call sends it again: make a
  /// `RemoteFunction(with:_:)` and keep it, to send a value once for many calls.
  @available(*, noasync, message: "await the asynchronous form")
  @inlinable
  public func first<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue, Context: Codable & Sendable
  >(
    in inputs: Inputs, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    where body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Answer,
    fileID: StaticString = #fileID, line: UInt = #line
  ) throws -> Input? {
    try first(
      in: inputs, timeLimit: timeLimit, retries: retries,
      where: RemoteFunction(_with: context, making: body, fileID, line))
  }
}

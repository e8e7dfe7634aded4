// As ProcessPool+Slips.swift: forms that can't be used, for the message.

/// A body that takes one value beside a context.
@available(
  *, unavailable, message: "with `with:` a body takes two values, the context first: { context, world in … }"
)
public func withRanks<Output: Sendable, Context: Codable & Sendable>(
  _ count: Int, with context: Context,
  _ body: @autoclosure @escaping @Sendable () -> @Sendable (Communicator) async throws -> Output
) async throws -> [Result<Output, MessageError>] { fatalError() }

extension RankFunction {
  /// A body that takes one value beside a context.
  @available(
    *, unavailable,
    message: "with `with:` a body takes two values, the context first: { context, world in … }"
  )
  public init<Context: Codable & Sendable>(
    with context: Context,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Communicator) async throws -> Output
  ) { fatalError() }
}

// The shapes of body that a rank can run; see `PlainBody` in ApusWire. Its structs will not do: the
// communicator would be a generic parameter there, and casting the closure would wrap it first.

struct RankBody<Output>: Sendable {
  let make: @Sendable () -> @Sendable (Communicator) throws -> Output
}

struct AsyncRankBody<Output>: Sendable {
  let make: @Sendable () -> @Sendable (Communicator) async throws -> Output
}

struct ContextRankBody<Context, Output>: Sendable {
  let make: @Sendable () -> @Sendable (Context, Communicator) throws -> Output
}

struct AsyncContextRankBody<Context, Output>: Sendable {
  let make: @Sendable () -> @Sendable (Context, Communicator) async throws -> Output
}

/// Which of them a function has.
enum RankShape: UInt8, Sendable {
  case plain, async, context, asyncContext
}

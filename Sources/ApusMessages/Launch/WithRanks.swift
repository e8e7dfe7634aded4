import ApusWire

/// Runs a body on each of several ranks, and gives what it came to on each, in the order of the ranks.
///
/// A rank is this program run again, in a process of its own, as one of `count` that talk through shared memory:
///
/// ```swift
/// let sums = try await withRanks(4) { world in try world.allReduce(world.rank, .sum) }
/// print(try sums[0].get())  // 6
/// ```
///
/// Whatever happens to one rank, every other has its own result. A rank that dies (a trap, a signal, `exit`) has a
/// `MessageError` with the code `rankFailed`, the `status` and the end of its standard error; ranks that wait for it,
/// or will, throw one that names it: no message of that world travels any more. What ranks print goes to this
/// program's own output in whole lines. Their standard input is at its end.
///
/// When the caller's task is cancelled, or this process ends in whatever way, the ranks are ended with what they have
/// started. A body may itself call `withRanks`, or make a pool; a pool's task may call it.
///
/// - Parameters:
///   - count: How many ranks: 1 to 256, more than there are processors if need be.
///   - timeLimit: How long they may take; nil: as long as they like. A rank that has not returned by
///     then is ended, and has a `MessageError` with the code `timeLimitExceeded`.
///   - function: What each of them runs; see `RankFunction`. What it returns is `Codable`, or nothing.
/// - Returns: For each rank what the body gave, or why it gave nothing: an error that it threw is the
///   `underlyingError` of one with the code `thrown`, and a `MessageError` is that itself.
/// - Throws: `MessageError` if the ranks can't be started, or not be told which function is meant (it captures values of
///   the code around it); `CancellationError`.
public func withRanks<Output: Sendable>(
  _ count: Int, timeLimit: Duration? = nil, _ function: RankFunction<Output>
) async throws -> [Result<Output, MessageError>] {
  try await RankJob(count, function, timeLimit).results()
}

/// Runs a body on each of several ranks, and gives what it came to on each, in the order of the ranks.
///
/// The form that takes a ``RankFunction`` says more.
public func withRanks<Output: Sendable>(
  _ count: Int, timeLimit: Duration? = nil,
  _ body: @autoclosure @escaping @Sendable () -> @Sendable (Communicator) throws -> Output,
  fileID: StaticString = #fileID, line: UInt = #line
) async throws -> [Result<Output, MessageError>] {
  try await withRanks(count, timeLimit: timeLimit, RankFunction(making: body, CallPlace(fileID, line)))
}

/// Runs a body on each of several ranks, and gives what it came to on each, in the order of the ranks.
///
/// The form that takes a ``RankFunction`` says more.
public func withRanks<Output: Sendable>(
  _ count: Int, timeLimit: Duration? = nil,
  _ body: @autoclosure @escaping @Sendable () -> @Sendable (Communicator) async throws -> Output,
  fileID: StaticString = #fileID, line: UInt = #line
) async throws -> [Result<Output, MessageError>] {
  try await withRanks(count, timeLimit: timeLimit, RankFunction(making: body, CallPlace(fileID, line)))
}

/// Runs a body on each of several ranks, and gives what it came to on each, in the order of the ranks.
///
/// The form that takes a ``RankFunction`` says more.
///
/// `context` is sent once to each rank and handed to the body.
public func withRanks<Output: Sendable, Context: Codable & Sendable>(
  _ count: Int, with context: Context, timeLimit: Duration? = nil,
  _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Communicator) throws -> Output,
  fileID: StaticString = #fileID, line: UInt = #line
) async throws -> [Result<Output, MessageError>] {
  try await withRanks(
    count, timeLimit: timeLimit, RankFunction(with: context, making: body, CallPlace(fileID, line)))
}

/// Runs a body on each of several ranks, and gives what it came to on each, in the order of the ranks.
///
/// The form that takes a ``RankFunction`` says more.
///
/// `context` is sent once to each rank and handed to the body.
public func withRanks<Output: Sendable, Context: Codable & Sendable>(
  _ count: Int, with context: Context, timeLimit: Duration? = nil,
  _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Communicator) async throws -> Output,
  fileID: StaticString = #fileID, line: UInt = #line
) async throws -> [Result<Output, MessageError>] {
  try await withRanks(
    count, timeLimit: timeLimit, RankFunction(with: context, making: body, CallPlace(fileID, line)))
}

// MARK: The blocking forms

/// Runs a function on each of several ranks, and blocks until all have ended: see the asynchronous form.
@available(*, noasync, message: "await the asynchronous form")
public func withRanks<Output: Sendable>(
  _ count: Int, timeLimit: Duration? = nil, _ function: RankFunction<Output>
) throws -> [Result<Output, MessageError>] {
  try RankJob(count, function, timeLimit).blockingResults()
}

/// Runs a body on each of several ranks, and blocks until all have ended: see `withRanks(_:timeLimit:_:)`.
@available(*, noasync, message: "await the asynchronous form")
public func withRanks<Output: Sendable>(
  _ count: Int, timeLimit: Duration? = nil,
  _ body: @autoclosure @escaping @Sendable () -> @Sendable (Communicator) throws -> Output,
  fileID: StaticString = #fileID, line: UInt = #line
) throws -> [Result<Output, MessageError>] {
  try withRanks(count, timeLimit: timeLimit, RankFunction(making: body, CallPlace(fileID, line)))
}

/// Runs a body on each of several ranks, and blocks until all have ended: see `withRanks(_:timeLimit:_:)`.
@available(*, noasync, message: "await the asynchronous form")
public func withRanks<Output: Sendable>(
  _ count: Int, timeLimit: Duration? = nil,
  _ body: @autoclosure @escaping @Sendable () -> @Sendable (Communicator) async throws -> Output,
  fileID: StaticString = #fileID, line: UInt = #line
) throws -> [Result<Output, MessageError>] {
  try withRanks(count, timeLimit: timeLimit, RankFunction(making: body, CallPlace(fileID, line)))
}

/// Runs a body on each of several ranks, and blocks until all have ended: see `withRanks(_:timeLimit:_:)`.
///
/// `context` is sent once to each rank and handed to the body.
@available(*, noasync, message: "await the asynchronous form")
public func withRanks<Output: Sendable, Context: Codable & Sendable>(
  _ count: Int, with context: Context, timeLimit: Duration? = nil,
  _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Communicator) throws -> Output,
  fileID: StaticString = #fileID, line: UInt = #line
) throws -> [Result<Output, MessageError>] {
  try withRanks(
    count, timeLimit: timeLimit, RankFunction(with: context, making: body, CallPlace(fileID, line)))
}

/// Runs a body on each of several ranks, and blocks until all have ended: see `withRanks(_:timeLimit:_:)`.
///
/// `context` is sent once to each rank and handed to the body.
@available(*, noasync, message: "await the asynchronous form")
public func withRanks<Output: Sendable, Context: Codable & Sendable>(
  _ count: Int, with context: Context, timeLimit: Duration? = nil,
  _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Communicator) async throws -> Output,
  fileID: StaticString = #fileID, line: UInt = #line
) throws -> [Result<Output, MessageError>] {
  try withRanks(
    count, timeLimit: timeLimit, RankFunction(with: context, making: body, CallPlace(fileID, line)))
}

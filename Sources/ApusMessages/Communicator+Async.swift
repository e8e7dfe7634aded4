import ApusCore

// The same calls for asynchronous code. What is not there at once is waited for by a thread of the library's own, which
// starts with the first such call.
extension Communicator {
  /// Sends a value. See the blocking form.
  public func send<T: Codable & Sendable>(_ value: T, to destination: Int, tag: Int = 0) async throws {
    let request = try SendRequest(self, value, to: destination, tag: tag)
    defer { withExtendedLifetime(request) {} }
    try await run(request.operation)
  }

  /// Waits for a message and returns its value. See the blocking form. Cancelling the task gives the receive up.
  public func receive<T: Codable & Sendable>(
    _ type: T.Type = T.self, from source: some RankSelection = .any, tag: some TagSelection = .any
  ) async throws -> T {
    try await receiveWithStatus(type, from: source, tag: tag).value
  }

  /// The same, with what else is known of the message.
  public func receiveWithStatus<T: Codable & Sendable>(
    _ type: T.Type = T.self, from source: some RankSelection = .any, tag: some TagSelection = .any
  ) async throws -> (value: T, status: MessageStatus) {
    let result = TypedReceive<T>(self)
    try await run(result.operation(selector(source._rank, tag._tag)))
    return (try result.value(), status(result.envelope!, result.type))
  }

  /// Starts an operation and waits until it is over.
  func run(_ operation: Operation) async throws {
    try progress.begin()
    defer { progress.over() }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        operation.whenDone = { continuation.resume() }
        do { try transport.start(operation) } catch {
          operation.whenDone = nil
          operation.finish(error)
          continuation.resume()
        }
        // The handler may have come before there was anything to cancel.
        if Task.isCancelled { _ = transport.cancel(operation) }
      }
    } onCancel: {
      _ = transport.cancel(operation)
    }
    if let error = operation.error { throw error }
  }
}

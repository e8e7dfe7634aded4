import ApusWire

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
    try await run(result.operation(selector(source.rankOrAll, tag.tagOrAll)))
    return (try result.value(), status(result.envelope!, result.type))
  }

  /// Waits for a message of plain values and writes them to the beginning of `buffer`, which stays as it is until then.
  /// See the blocking form.
  public func receive<T: RawCodable>(
    into buffer: UnsafeMutableBufferPointer<T>, from source: some RankSelection = .any,
    tag: some TagSelection = .any
  ) async throws -> MessageStatus {
    // Sound: the caller waits.
    nonisolated(unsafe) let buffer = buffer
    nonisolated(unsafe) var status: MessageStatus?
    try await run(
      Operation(.receive(selector(source.rankOrAll, tag.tagOrAll))) { message, source in
        status = try self.take(message, into: buffer, source)
      })
    return status!
  }

  /// Sends a value and receives another at the same time. See the blocking form.
  public func sendReceive<T: Codable & Sendable, U: Codable & Sendable>(
    _ value: T, to destination: Int, tag: Int = 0, _ type: U.Type = U.self,
    from source: some RankSelection, receiveTag: some TagSelection = .any
  ) async throws -> U {
    let request = try SendRequest(self, value, to: destination, tag: tag)
    try progress.begin()
    defer { progress.over() }
    try transport.start(request.operation)
    let received = try await receive(type, from: source, tag: receiveTag)
    try await end(of: request.operation)
    return received
  }

  /// What the next message says of itself; it stays where it is. Waits for one: looks for it now and then, at least a
  /// thousand times a second.
  ///
  /// - Throws: As the blocking form, and `CancellationError`.
  public func probe(
    from source: some RankSelection = .any, tag: some TagSelection = .any
  ) async throws -> MessageStatus {
    try progress.share()
    var pause = LookPause()
    while true {
      if let status = try probeIfAny(from: source, tag: tag) { return status }
      try Task.checkCancellation()
      await pause.wait()
    }
  }

  // MARK: Operations

  /// Starts an operation and waits until it is over.
  func run(_ operation: Operation) async throws {
    try progress.begin()
    defer { progress.over() }
    try transport.start(operation)
    try await end(of: operation)
  }

  /// Waits until an operation is over that was started while nobody might have been there to move it on.
  func end(ofStarted operation: Operation) async throws {
    try progress.begin()
    defer { progress.over() }
    try await end(of: operation)
  }

  /// Waits until an operation that was started is over. Cancelling the task gives a receive up. Between `begin` and
  /// `over` of the progress thread.
  func end(of operation: Operation) async throws {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        do {
          if try !transport.tell({ continuation.resume() }, of: operation) { continuation.resume() }
        } catch { continuation.resume(throwing: error) }
      }
    } onCancel: {
      _ = transport.cancel(operation)
    }
    if let error = operation.error { throw error }
  }
}

/// Between looks for something that tells nobody when it comes.
struct LookPause {
  private var turns = 0

  mutating func wait() async {
    turns += 1
    if turns < 100 {
      await Task.yield()
    } else {
      try? await Task.sleep(for: .microseconds(min(turns, 1000)))
    }
  }
}

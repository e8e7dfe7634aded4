import ApusWire

/// A receive that goes on while its rank does something else.
///
/// ```swift
/// let request = try world.startReceive([Double].self, from: left)
/// …
/// let values = try request.wait()
/// ```
///
/// The message goes straight into the value's own memory. A request that is let go of without `wait` still takes its
/// message; `cancel` gives it up.
public final class ReceiveRequest<Value: Codable>: Sendable {
  private let communicator: Communicator
  private let result: TypedReceive<Value>
  private let operation: Operation

  init(_ communicator: Communicator, _ selector: Selector) throws {
    self.communicator = communicator
    result = TypedReceive(communicator)
    operation = result.operation(selector)
    try communicator.transport.start(operation)
  }

  /// Whether the message has come. Moves on what goes on, and waits for nothing.
  public func test() throws -> Bool {
    if operation.isDone { return true }
    try communicator.transport.progress()
    return operation.isDone
  }

  /// Waits for the message and returns its value. Throws as `Communicator.receive`. Once.
  @available(*, noasync, message: "await the request's value instead")
  public func wait() throws -> Value {
    try communicator.transport.wait(for: operation)
    return try result.value()
  }

  /// Waits for the message and returns its value. Throws as `Communicator.receive`. Once. Cancelling the task gives the
  /// receive up.
  public var value: Value {
    get async throws {
      try await communicator.end(ofStarted: operation)
      return try result.value()
    }
  }

  /// Gives the receive up, which `wait` then throws a `CancellationError` for. False if the message has come: then it
  /// is there to be waited for.
  @discardableResult
  public func cancel() -> Bool { communicator.transport.cancel(operation) }

  /// What is known of the message, once it has come.
  public var status: MessageStatus? {
    operation.isDone ? result.envelope.map { communicator.status($0, result.type) } : nil
  }
}

/// A send that goes on while its rank does something else, and keeps the value until then: also if the request is let
/// go of.
public final class SendRequest<Value: Codable>: Sendable {
  private let communicator: Communicator
  let operation: Operation
  // Sound: never changed after the start; the transport reads its bytes.
  nonisolated(unsafe) private let kept: Value

  /// Not started yet.
  init(_ communicator: Communicator, _ value: consuming Value, to destination: Int, tag: Int) throws {
    let world = try communicator.destination(destination, tag)
    let codec = ValueCodec<Value>()
    let value = value
    let bytes: UnsafeRawBufferPointer
    let owner: Any
    // The pointer stays good without the closure: the operation keeps the array, and nobody changes it.
    if let elements = codec.withRawBytes(of: value, { $0 }) {
      (bytes, owner) = (elements, value)
    } else {
      let buffer = ByteBuffer()
      try communicator.encode(value, codec, into: buffer)
      (bytes, owner) = (buffer.bytes, buffer)
    }
    (self.communicator, kept) = (communicator, value)
    let envelope = Envelope(
      context: communicator.context, source: Int32(communicator.transport.rank), tag: Int32(tag),
      type: TypeCode.of(Value.self), count: bytes.count)
    operation = Operation(.send(bytes: bytes, envelope: envelope, destination: world), keeping: owner)
  }

  /// Whether the value is on its way. Moves on what goes on, and waits for nothing.
  public func test() throws -> Bool {
    if operation.isDone { return true }
    try communicator.transport.progress()
    return operation.isDone
  }

  /// Waits until the value may change again, and gives it back.
  @available(*, noasync, message: "await the request's value instead")
  @discardableResult
  public func wait() throws -> Value {
    try communicator.transport.wait(for: operation)
    return kept
  }

  /// Waits until the value may change again, and gives it back.
  public var value: Value {
    get async throws {
      try await communicator.end(ofStarted: operation)
      return kept
    }
  }
}

extension Communicator {
  /// Starts to receive a message.
  ///
  /// - Throws: `MessageError`: `invalidArgument`.
  public func startReceive<T: Codable>(
    _ type: T.Type = T.self, from source: some RankSelection = .any, tag: some TagSelection = .any
  ) throws -> ReceiveRequest<T> {
    try ReceiveRequest(self, selector(source.rankOrAll, tag.tagOrAll))
  }

  /// Starts to send a value, which the request keeps and gives back.
  ///
  /// - Throws: `MessageError`: `invalidArgument`, `notEncodable`.
  public func startSend<T: Codable>(
    _ value: consuming T, to destination: Int, tag: Int = 0
  ) throws -> SendRequest<T> {
    let request = try SendRequest(self, value, to: destination, tag: tag)
    try transport.start(request.operation)
    return request
  }
}

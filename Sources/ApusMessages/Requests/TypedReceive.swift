import ApusWire

/// Where a started receive leaves what came.
final class TypedReceive<Value: Codable>: @unchecked Sendable {
  // Sound: written by the thread that drives the transport, before the operation is done; read by its owner after.
  let type = WireType(Value.self)
  private(set) var envelope: Envelope?
  private let communicator: Communicator
  private var array: Value?
  private var bytes: ByteBuffer?

  init(_ communicator: Communicator) { self.communicator = communicator }

  func operation(_ selector: Selector) -> Operation {
    Operation(.receive(selector)) { try self.accept($0, $1) }
  }

  /// Large arrays go where they belong; what runs the user's code waits for the owner's thread.
  private func accept(_ message: IncomingMessage, _ source: some MessageSource) throws {
    try communicator.check(message, Value.self, type, source)
    envelope = message.envelope
    let count = message.envelope.count
    if type.arrayStride != nil {
      // Of this type, and not of the optional one.
      let value: Value = try communicator.value(of: message, type, source)
      array = value
    } else if case .stored(let buffer) = message.place {
      bytes = buffer
    } else {
      let buffer = ByteBuffer(capacity: count)
      try source.take(message, into: buffer.uninitialized(count: count))
      bytes = buffer
    }
  }

  /// The value, once.
  func value() throws -> Value {
    if let array {
      self.array = nil
      return array
    }
    guard let bytes else {
      throw MessageError(.invalidArgument, "the request has given its value away already")
    }
    self.bytes = nil
    do { return try ValueCodec<Value>().decode(bytes.bytes) } catch {
      throw MessageError(.notDecodable, "the message could not be decoded: \(error)", underlying: error)
    }
  }
}

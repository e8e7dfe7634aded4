import ApusWire

// Messages that are bytes and a word (`kind`) which says what they are: for bindings to other languages. The word stands
// where Swift's messages have their type, so neither side takes the other's for its own.

/// What is known of a message of bytes.
package struct BytesStatus: Sendable {
  /// The sender's rank in the communicator.
  package let source: Int
  package let tag: Int
  package let kind: UInt64
  package let count: Int
}

extension Communicator {
  /// Sends bytes; see `send`.
  ///
  /// - Parameter waits: If false, nothing is sent where that would have to wait for the receiver.
  /// - Returns: Whether they were sent.
  package func send(
    bytes: UnsafeRawBufferPointer, kind: UInt64, to destination: Int, tag: Int, waits: Bool
  ) throws -> Bool {
    let world = try self.destination(destination, tag)
    let envelope = envelope(kind, tag, bytes.count)
    if !waits { return try transport.sendIfRoom(bytes, envelope, to: world) }
    try transport.send(bytes, envelope, to: world)
    return true
  }

  /// Waits for a message and writes its bytes where `room` says; nil drops them.
  ///
  /// - Parameters:
  ///   - source: A rank, or `Selector.all`.
  ///   - tag: A tag, or `Selector.all`.
  ///   - waits: If false, only for a microsecond or so.
  ///   - room: Must not use this rank's communicators.
  /// - Returns: Whether a message came.
  package func receive(
    bytesFrom source: Int, tag: Int, waits: Bool, into room: (BytesStatus) -> UnsafeMutableRawPointer?
  ) throws -> Bool {
    let selector = try selector(source, tag)
    guard let message = try waits ? transport.message(selector) : transport.messageIfThere(selector) else {
      return false
    }
    let place = room(bytesStatus(message.envelope))
    if let place, message.envelope.count > 0 {
      try transport.take(message, into: place)
    } else {
      transport.drop(message)
    }
    return true
  }

  /// What the next message says of itself; nil if there is none and nobody waits.
  package func probe(bytesFrom source: Int, tag: Int, waits: Bool) throws -> BytesStatus? {
    try transport.probe(selector(source, tag), waits: waits).map { bytesStatus($0) }
  }

  func envelope(_ kind: UInt64, _ tag: Int, _ count: Int) -> Envelope {
    Envelope(
      context: context, source: Int32(transport.rank), tag: Int32(tag), type: kind, count: count)
  }

  func bytesStatus(_ envelope: Envelope) -> BytesStatus {
    BytesStatus(
      source: here(envelope.source), tag: Int(envelope.tag), kind: envelope.type, count: envelope.count)
  }
}

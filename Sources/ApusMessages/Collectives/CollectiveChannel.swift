import ApusCore

/// The messages of a communicator's collective operations, which meet none that its users send.
final class CollectiveChannel: PointToPoint, Sendable {
  let rank: Int
  let size: Int
  private let transport: any Transport
  private let context: UInt32
  private let members: [Int32]?

  /// Up to so many bytes a send needs no receiver: the transports have room for that.
  private static let smallSize = 1024

  init(_ transport: any Transport, context: UInt32, members: [Int32]?, rank: Int, size: Int) {
    (self.transport, self.context, self.members) = (transport, context, members)
    (self.rank, self.size) = (rank, size)
  }

  private func inWorld(_ rank: Int) -> Int { members.map { Int($0[rank]) } ?? rank }

  private func envelope(_ count: Int, _ tag: Int32) -> Envelope {
    Envelope(context: context, source: Int32(transport.rank), tag: tag, type: 0, count: count)
  }

  private func selector(_ source: Int, _ tag: Int32) -> Selector {
    Selector(context: context, source: Int32(inWorld(source)), tag: tag)
  }

  func send(_ bytes: UnsafeRawBufferPointer, to destination: Int, tag: Int32) throws {
    try transport.send(bytes, envelope(bytes.count, tag), to: inWorld(destination))
  }

  func receive(into buffer: UnsafeMutableRawBufferPointer, from source: Int, tag: Int32) throws {
    let message = try transport.message(selector(source, tag))
    guard message.envelope.count == buffer.count else {
      transport.drop(message)
      throw MessageError(
        .tooLong,
        "rank \(source) takes part in the collective operation with \(message.envelope.count) bytes where this rank "
          + "expects \(buffer.count): all ranks must pass as many elements", rank: source)
    }
    guard let base = buffer.baseAddress, buffer.count > 0 else { return transport.drop(message) }
    try transport.take(message, into: base)
  }

  func receive(appendingTo buffer: ByteBuffer, from source: Int, tag: Int32) throws {
    let message = try transport.message(selector(source, tag))
    try transport.take(message, into: buffer.uninitialized(count: message.envelope.count))
  }

  func exchange(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, into buffer: UnsafeMutableRawBufferPointer,
    from source: Int, tag: Int32
  ) throws {
    try whileSending(bytes, to: destination, tag) { try receive(into: buffer, from: source, tag: tag) }
  }

  func exchange(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, appendingTo buffer: ByteBuffer, from source: Int,
    tag: Int32
  ) throws {
    try whileSending(bytes, to: destination, tag) {
      try receive(appendingTo: buffer, from: source, tag: tag)
    }
  }

  private func whileSending(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, _ tag: Int32, _ receive: () throws -> Void
  ) throws {
    if bytes.count <= Self.smallSize {
      try send(bytes, to: destination, tag: tag)
      return try receive()
    }
    let operation = Operation(
      .send(bytes: bytes, envelope: envelope(bytes.count, tag), destination: inWorld(destination)))
    try transport.start(operation)
    // The bytes are the caller's: they must not be read after this returns, whatever happens.
    defer { if !operation.isDone { try? transport.wait(for: operation) } }
    try receive()
    try transport.wait(for: operation)
  }
}

import ApusWire
import Synchronization

/// The messages of a communicator's collective operations, which meet none that its users send.
final class CollectiveChannel: PointToPoint, Sendable {
  let rank: Int
  let size: Int
  private let transport: any Transport
  private let context: UInt32
  private let members: [Int32]?
  /// How many operations were called here, with the one that goes on.
  private let calls = Atomic<UInt64>(0)
  /// The last one that this rank gave up, unless it has met all others since; else 0.
  private let givenUp = Atomic<UInt64>(0)

  /// Up to so many bytes a send needs no receiver: the transports have room for that.
  private static let smallSize = 1024

  init(_ transport: any Transport, context: UInt32, members: [Int32]?, rank: Int, size: Int) {
    (self.transport, self.context, self.members) = (transport, context, members)
    (self.rank, self.size) = (rank, size)
  }

  deinit { if givenUp.load(ordering: .relaxed) != 0 { transport.abandonRefusing(context) } }

  /// The next operation begins: what belongs to others is none of its messages.
  func begin() { calls.add(1, ordering: .relaxed) }

  private var number: CollectiveNumber { CollectiveNumber(calls.load(ordering: .relaxed)) }

  private func inWorld(_ rank: Int) -> Int { members.map { Int($0[rank]) } ?? rank }

  private func envelope(_ count: Int, _ tag: Int32) -> Envelope {
    Envelope(context: context, source: Int32(transport.rank), tag: tag, type: number.ofMessages, count: count)
  }

  private func selector(_ source: Int, _ tag: Int32) -> Selector {
    Selector(context: context, source: Int32(inWorld(source)), tag: tag)
  }

  func send(_ bytes: UnsafeRawBufferPointer, to destination: Int, tag: Int32) throws {
    try transport.send(bytes, envelope(bytes.count, tag), to: inWorld(destination))
  }

  @inline(__always)
  private func message(from source: Int, _ tag: Int32) throws -> IncomingMessage {
    let message = try transport.message(selector(source, tag))
    return message.envelope.type == number.ofMessages ? message : try sort(message, source, tag)
  }

  /// What is left of operations that were given up is in the way.
  @inline(never)
  private func sort(_ first: IncomingMessage, _ source: Int, _ tag: Int32) throws -> IncomingMessage {
    var message = first
    while message.envelope.type != number.ofMessages {
      if message.envelope.type == number.ofFailures { throw try failure(message, source) }
      let isLater = number.isBefore(message.envelope)
      transport.drop(message)
      if isLater {
        throw MessageError(
          .invalidArgument,
          "rank \(source) has called more collective operations than this rank: all ranks of a communicator must "
            + "call the same ones in the same order", rank: source)
      }
      message = try transport.message(selector(source, tag))
    }
    return message
  }

  // MARK: Giving up

  /// Tells all others that this rank can't go on, and why: whoever waits for it in this operation, and by and by for
  /// those who do, throws that.
  func giveUp(_ error: any Error, tag: Int32) {
    // Of such an error all hear by other ways, or none can.
    if (error as? MessageError)?.concernsAll ?? false { return }
    let call = calls.load(ordering: .relaxed)
    guard givenUp.exchange(call, ordering: .relaxed) != call else { return }
    transport.refuse(context, upTo: number)
    let notice = ByteBuffer()
    if let error = error as? MessageError, error.code == .collectiveFailed, let origin = error.rank,
      0..<size ~= origin
    {
      notice.append(UInt64(origin).littleEndian)
    } else {
      notice.append(UInt64(rank).littleEndian)
    }
    Array("\(error)".utf8.prefix(1000)).withUnsafeBytes { notice.append(contentsOf: $0) }
    var envelope = envelope(notice.count, tag)
    envelope.type = number.ofFailures
    for peer in 0..<size where peer != rank {
      // Nobody waits for it: the others may have gone on.
      let operation = Operation(
        .send(bytes: notice.bytes, envelope: envelope, destination: inWorld(peer))
      ) { _, _ in withExtendedLifetime(notice) {} }
      try? transport.start(operation)
    }
  }

  /// Every rank has called the operation that is over.
  @inline(__always)
  func allHaveCome() {
    // The world's barrier counts for communicators that are gone, too.
    guard givenUp.load(ordering: .relaxed) != 0 || members == nil else { return }
    givenUp.store(0, ordering: .relaxed)
    transport.endRefusing(context)
  }

  private func failure(_ message: IncomingMessage, _ source: Int) throws -> MessageError {
    let buffer = ByteBuffer()
    try transport.take(message, into: buffer.uninitialized(count: message.envelope.count))
    let length = MemoryLayout<UInt64>.size
    guard buffer.count >= length,
      let origin = Int(exactly: UInt64(littleEndian: buffer.bytes.loadUnaligned(as: UInt64.self))),
      origin < size
    else { throw CollectiveError.malformed("What rank \(source) says of its failure can't be.") }
    let text = String(decoding: buffer.bytes[length...], as: UTF8.self)
    let prefix = "rank \(origin) gave the collective operation up: "
    return MessageError(.collectiveFailed, text.hasPrefix(prefix) ? text : prefix + text, rank: origin)
  }

  // MARK: Messages

  func receive(into buffer: UnsafeMutableRawBufferPointer, from source: Int, tag: Int32) throws {
    let message = try message(from: source, tag)
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
    let message = try message(from: source, tag)
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
    guard let operation = try start(bytes, to: destination, tag) else { return try receive() }
    // The bytes are the caller's: they must not be read after this returns, whatever happens.
    defer { if !operation.isDone { try? transport.wait(for: operation) } }
    try tellingOthers(tag, receive)
    try transport.wait(for: operation)
  }

  /// Who fails with messages on their way tells the others, and refuses theirs, before it waits for those to be taken: one
  /// that waits for this rank takes none.
  private func tellingOthers(_ tag: Int32, _ body: () throws -> Void) throws {
    do { try body() } catch {
      giveUp(error, tag: tag)
      throw error
    }
  }

  func whileSendingToAll(
    _ outgoing: (_ destination: Int) -> UnsafeRawBufferPointer, tag: Int32, receive: () throws -> Void
  ) throws {
    var operations: [Operation] = []
    // As above.
    defer { for operation in operations where !operation.isDone { try? transport.wait(for: operation) } }
    for step in 1..<max(size, 1) {
      let destination = (rank + step) % size
      if let operation = try start(outgoing(destination), to: destination, tag) {
        operations.append(operation)
      }
    }
    try tellingOthers(tag, receive)
    for operation in operations { try transport.wait(for: operation) }
  }

  /// Sends, or starts to where that might have to wait for the receiver.
  private func start(_ bytes: UnsafeRawBufferPointer, to destination: Int, _ tag: Int32) throws -> Operation?
  {
    if bytes.count <= Self.smallSize {
      try send(bytes, to: destination, tag: tag)
      return nil
    }
    let (envelope, destination) = (envelope(bytes.count, tag), inWorld(destination))
    if try transport.sendIfRoom(bytes, envelope, to: destination) { return nil }
    let operation = Operation(.send(bytes: bytes, envelope: envelope, destination: destination))
    try transport.start(operation)
    return operation
  }

  func isThere(from source: Int, tag: Int32) -> Bool { transport.isThere(selector(source, tag)) }

  /// Receives a message of whatever length where `room` says.
  func receive(
    from source: Int, tag: Int32, into room: (_ count: Int) throws -> UnsafeMutableRawPointer
  ) throws {
    let message = try message(from: source, tag)
    try transport.take(message, into: room(message.envelope.count))
  }
}

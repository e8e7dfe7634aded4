import ApusWire
import CApus

extension Communicator {
  /// Waits for a message and returns its value.
  ///
  /// - Parameters:
  ///   - type: What the message holds; its sender's type must be the same.
  ///   - source: A rank of this communicator, or `.any`.
  ///   - tag: A tag, or `.any`.
  /// - Throws: `MessageError`: `invalidArgument`, `typeMismatch`, `notDecodable`, `rankFailed`, `rankEnded`,
  ///   `deadlock`, `finalized`. After `typeMismatch` and `notDecodable` the message is gone.
  @_specialize(where T == Int, Source == Int, Tag == Int)
  @_specialize(where T == Double, Source == Int, Tag == Int)
  @available(*, noasync, message: "await it instead")
  public func receive<T: Codable, Source: RankSelection, Tag: TagSelection>(
    _ type: T.Type = T.self, from source: Source = .any, tag: Tag = .any
  ) throws -> T {
    // The most usual kinds are compiled apart: what is generic finds out at run time what it is about.
    let (selector, type) = (try selector(source.rankOrAll, tag.tagOrAll), WireType(T.self))
    if hasShortNumbers,
      let number = try transport.number(selector, type: TypeCode.of(T.self, type.mark))
    {
      return value(number)
    }
    return try value(of: transport.message(selector), type, transport)
  }

  /// The same, with what else is known of the message.
  @available(*, noasync, message: "await it instead")
  public func receiveWithStatus<T: Codable>(
    _ type: T.Type = T.self, from source: some RankSelection = .any, tag: some TagSelection = .any
  ) throws -> (value: T, status: MessageStatus) {
    let message = try transport.message(selector(source.rankOrAll, tag.tagOrAll))
    let type = WireType(T.self)
    return (try value(of: message, type, transport), status(message.envelope, type))
  }

  /// Waits for a message of plain values and writes them to the beginning of `buffer`: no memory is allocated.
  ///
  /// - Throws: As `receive`, and `tooLong` if the buffer has fewer elements than the message. The message is gone then.
  @available(*, noasync, message: "await it instead")
  public func receive<T: RawCodable>(
    into buffer: UnsafeMutableBufferPointer<T>, from source: some RankSelection = .any,
    tag: some TagSelection = .any
  ) throws -> MessageStatus {
    let message = try transport.message(selector(source.rankOrAll, tag.tagOrAll))
    return try take(message, into: buffer, transport)
  }

  /// Sends a value and receives another at the same time: ranks that exchange large values don't wait for each other.
  ///
  /// - Throws: As `send` and `receive`.
  @available(*, noasync, message: "await it instead")
  public func sendReceive<T: Codable, U: Codable>(
    _ value: T, to destination: Int, tag: Int = 0, _ type: U.Type = U.self,
    from source: some RankSelection, receiveTag: some TagSelection = .any
  ) throws -> U {
    let request = try startSend(value, to: destination, tag: tag)
    let received = try receive(type, from: source, tag: receiveTag)
    try request.wait()
    return received
  }

  /// What the next message says of itself; it stays where it is. Waits for one.
  @available(*, noasync, message: "await it instead")
  public func probe(from source: some RankSelection = .any, tag: some TagSelection = .any) throws
    -> MessageStatus
  {
    status(try transport.probe(selector(source.rankOrAll, tag.tagOrAll), waits: true)!, nil)
  }

  /// The same without waiting: nil if there is none yet. Throws `rankFailed`, and on one machine `rankEnded`, if none
  /// will come from `source`.
  public func probeIfAny(
    from source: some RankSelection = .any, tag: some TagSelection = .any
  ) throws -> MessageStatus? {
    try transport.probe(selector(source.rankOrAll, tag.tagOrAll), waits: false).map { status($0, nil) }
  }

  // MARK: Values

  /// - Parameter type: What the message holds; nil if its code alone says it, which has to be looked up.
  package func status(_ envelope: Envelope, _ type: WireType?) -> MessageStatus {
    let size =
      if let type { type.rawSize ?? type.arrayStride } else { TypeCode.elementSize(of: envelope.type) }
    return MessageStatus(
      source: here(envelope.source), tag: Int(envelope.tag), byteCount: envelope.count,
      count: size.map { envelope.count / max(1, $0) })
  }

  /// Writes a message's elements to the beginning of `buffer`. Whatever happens, the message is gone then.
  func take<T: RawCodable>(
    _ message: IncomingMessage, into buffer: UnsafeMutableBufferPointer<T>, _ source: some MessageSource
  ) throws -> MessageStatus {
    let type = WireType([T].self)
    try check(message, [T].self, type, source)
    let (count, stride) = (message.envelope.count, MemoryLayout<T>.stride)
    guard count <= buffer.count * stride else {
      source.drop(message)
      throw MessageError(
        .tooLong,
        "the message has \(count / stride) elements, and the buffer room for \(buffer.count); the message is gone",
        rank: here(message.envelope.source))
    }
    if count > 0 {
      try source.take(message, into: UnsafeMutableRawPointer(buffer.baseAddress!))
    } else {
      source.drop(message)
    }
    return status(message.envelope, type)
  }

  @inline(__always)
  package func check<T>(
    _ message: IncomingMessage, _ type: T.Type, _ wire: WireType, _ source: some MessageSource
  ) throws {
    if message.envelope.type != TypeCode.of(type, wire.mark) { try refuse(message, type, source) }
  }

  @inline(never)
  private func refuse<T>(_ message: IncomingMessage, _ type: T.Type, _ source: some MessageSource) throws {
    source.drop(message)
    throw MessageError(
      .typeMismatch,
      "a message of \(TypeCode.name(of: message.envelope.type)) came from rank "
        + "\(here(message.envelope.source)) under tag \(message.envelope.tag), where "
        + "\(TypeCode.name(of: T.self)) was expected; the message is gone",
      rank: here(message.envelope.source))
  }

  /// Takes the value that a message holds. Whatever happens, the message is gone then.
  package func value<T: Codable>(
    of message: IncomingMessage, _ type: WireType, _ source: some MessageSource
  ) throws -> T {
    try check(message, T.self, type, source)
    let count = message.envelope.count
    if let size = type.rawSize {
      guard count == size else { throw wrongSize(message, "a value has \(size)", source) }
      return try rawValue(of: message, size, source)
    }
    guard type.goesByCoder else { return try rarer(message, type, source) }
    if case .stored(let buffer) = message.place {
      do { return try BinaryDecoder.decode(T.self, from: buffer.bytes) } catch {
        throw notDecodable(error, message.envelope)
      }
    }
    var isHere = false
    do {
      return try BinaryDecoder.decode(T.self, count: count) {
        try source.take(message, into: $0)
        isHere = true
      }
    } catch {
      throw isHere ? notDecodable(error, message.envelope) : error
    }
  }

  // Apart, since here the runtime is asked for types.
  @inline(never)
  private func rarer<T: Codable>(
    _ message: IncomingMessage, _ type: WireType, _ source: some MessageSource
  ) throws -> T {
    let count = message.envelope.count
    if let stride = type.arrayStride {
      guard count % max(1, stride) == 0 else {
        throw wrongSize(message, "an element has \(stride)", source)
      }
      return try ValueCodec<T>().makeArray(byteCount: count) {
        // An empty array has no place for its elements.
        if let base = $0.baseAddress, count > 0 {
          try source.take(message, into: base)
        } else {
          source.drop(message)
        }
      }!
    }
    if case .stored(let buffer) = message.place { return try decode(buffer.bytes, message.envelope) }
    let buffer = ByteBuffer(capacity: count)
    try source.take(message, into: buffer.uninitialized(count: count))
    return try decode(buffer.bytes, message.envelope)
  }

  @inline(__always)
  private func rawValue<T>(
    of message: IncomingMessage, _ size: Int, _ source: some MessageSource
  ) throws -> T {
    // No closure that returns a `T`, whose `Result` would be asked of the runtime: that takes longer than the rest.
    if size <= Int(APUS_SCRATCH_SIZE), let room = apus_scratch_begin() {
      defer { apus_scratch_end() }
      try source.take(message, into: room)
      // Sound: every bit pattern is a value of such a type.
      return room.assumingMemoryBound(to: T.self).pointee
    }
    return try largeRawValue(of: message, size, source)
  }

  /// The number that a message is.
  @inline(__always)
  private func value<T>(_ number: UInt64) -> T {
    let lent = apus_scratch_begin()
    let room = lent ?? .allocate(byteCount: 8, alignment: 8)
    defer { if lent != nil { apus_scratch_end() } else { room.deallocate() } }
    room.storeBytes(of: number, as: UInt64.self)
    // Sound: the message is one number of this type.
    return room.assumingMemoryBound(to: T.self).pointee
  }

  @inline(never)
  private func largeRawValue<T>(
    of message: IncomingMessage, _ size: Int, _ source: some MessageSource
  ) throws -> T {
    try withUnsafeTemporaryAllocation(byteCount: size, alignment: 64) { room in
      try source.take(message, into: room.baseAddress!)
      // Sound: as above.
      return room.baseAddress!.assumingMemoryBound(to: T.self).pointee
    }
  }

  private func decode<T: Codable>(_ bytes: UnsafeRawBufferPointer, _ envelope: Envelope) throws -> T {
    do { return try ValueCodec<T>().decode(bytes) } catch { throw notDecodable(error, envelope) }
  }

  private func notDecodable(_ error: any Error, _ envelope: Envelope) -> any Error {
    MessageError(
      .notDecodable, "the message could not be decoded: \(error)", rank: here(envelope.source),
      underlying: error)
  }

  private func wrongSize(
    _ message: IncomingMessage, _ expected: String, _ source: some MessageSource
  ) -> MessageError {
    source.drop(message)
    return MessageError(
      .notDecodable, "the message has \(message.envelope.count) bytes, and \(expected); the message is gone",
      rank: here(message.envelope.source))
  }
}

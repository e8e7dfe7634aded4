public import ApusCore

extension Communicator {
  /// Waits for a message and returns its value.
  ///
  /// - Parameters:
  ///   - type: What the message holds; its sender's type must be the same.
  ///   - source: A rank of this communicator, or `.any`.
  ///   - tag: A tag, or `.any`.
  /// - Throws: `MessageError`: `invalidArgument`, `typeMismatch`, `notDecodable`, `rankFailed`, `rankEnded`,
  ///   `deadlock`. After `typeMismatch` and `notDecodable` the message is gone.
  @available(*, noasync, message: "await it instead")
  public func receive<T: Codable>(
    _ type: T.Type = T.self, from source: some RankSelection = .any, tag: some TagSelection = .any
  ) throws -> T {
    let message = try transport.message(selector(source._rank, tag._tag))
    return try value(of: message, ValueCodec<T>(), transport)
  }

  /// The same, with what else is known of the message.
  @available(*, noasync, message: "await it instead")
  public func receiveWithStatus<T: Codable>(
    _ type: T.Type = T.self, from source: some RankSelection = .any, tag: some TagSelection = .any
  ) throws -> (value: T, status: MessageStatus) {
    let message = try transport.message(selector(source._rank, tag._tag))
    let codec = ValueCodec<T>()
    return (try value(of: message, codec, transport), status(message.envelope, codec.elementStride))
  }

  /// Waits for a message of plain values and writes them to the beginning of `buffer`: no memory is allocated.
  ///
  /// - Throws: As `receive`, and `tooLong` if the buffer has fewer elements than the message. The message is gone then.
  @available(*, noasync, message: "await it instead")
  public func receive<T: RawCodable>(
    into buffer: UnsafeMutableBufferPointer<T>, from source: some RankSelection = .any,
    tag: some TagSelection = .any
  ) throws -> MessageStatus {
    let message = try transport.message(selector(source._rank, tag._tag))
    try check(message, ValueCodec<[T]>(), transport)
    let stride = MemoryLayout<T>.stride
    guard message.envelope.count <= buffer.count * stride else {
      transport.drop(message)
      throw MessageError(
        .tooLong, "the message has \(message.envelope.count / stride) elements, the buffer \(buffer.count)",
        rank: here(message.envelope.source))
    }
    if message.envelope.count > 0 {
      try transport.take(message, into: UnsafeMutableRawPointer(buffer.baseAddress!))
    } else {
      transport.drop(message)
    }
    return status(message.envelope, stride)
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
    status(try transport.probe(selector(source._rank, tag._tag), waits: true)!, nil)
  }

  /// The same without waiting: nil if there is none.
  public func probeIfAny(
    from source: some RankSelection = .any, tag: some TagSelection = .any
  ) throws -> MessageStatus? {
    try transport.probe(selector(source._rank, tag._tag), waits: false).map { status($0, nil) }
  }

  // MARK: Values

  package func status(_ envelope: Envelope, _ stride: Int?) -> MessageStatus {
    MessageStatus(
      source: here(envelope.source), tag: Int(envelope.tag), byteCount: envelope.count,
      count: stride.map { envelope.count / max(1, $0) })
  }

  package func check<T>(_ message: IncomingMessage, _ codec: ValueCodec<T>, _ source: some MessageSource)
    throws
  {
    guard message.envelope.type != MessageType.code(of: codec) else { return }
    source.drop(message)
    throw MessageError(
      .typeMismatch,
      "a message of \(MessageType.name(of: message.envelope.type)) came from rank "
        + "\(here(message.envelope.source)) under tag \(message.envelope.tag), where "
        + "\(MessageType.name(of: T.self)) was expected; the message is gone",
      rank: here(message.envelope.source))
  }

  package func value<T>(
    of message: IncomingMessage, _ codec: ValueCodec<T>, _ source: some MessageSource
  ) throws -> T {
    try check(message, codec, source)
    let count = message.envelope.count
    do {
      switch codec.format {
      case .raw(let size):
        guard count == size else { return try unexpected(message, codec, source) }
        return try withUnsafeTemporaryAllocation(byteCount: max(1, size), alignment: 16) { memory in
          try source.take(message, into: memory.baseAddress!)
          return try codec.decode(UnsafeRawBufferPointer(rebasing: memory[..<size]))
        }
      case .rawArray:
        if count == 0 { return try unexpected(message, codec, source) }
        return try codec.makeArray(byteCount: count) { try source.take(message, into: $0.baseAddress!) }!
      case .coded:
        if case .stored(let buffer) = message.place { return try codec.decode(buffer.bytes) }
        let buffer = ByteBuffer(capacity: count)
        try source.take(message, into: buffer.uninitialized(count: count))
        return try codec.decode(buffer.bytes)
      }
    } catch let error as MessageError {
      throw error
    } catch {
      throw MessageError(
        .notDecodable, "the message could not be decoded: \(error)", rank: here(message.envelope.source),
        underlying: error)
    }
  }

  /// Bytes that need no place: none, or as many as no value has.
  private func unexpected<T>(
    _ message: IncomingMessage, _ codec: ValueCodec<T>, _ source: some MessageSource
  ) throws -> T {
    source.drop(message)
    return try codec.decode(UnsafeRawBufferPointer(start: nil, count: 0))
  }
}

extension ValueCodec {
  /// The bytes of one plain element of a message, if it is made of such.
  package var elementStride: Int? {
    switch format {
    case .raw(let size): size
    case .rawArray(let stride): stride
    case .coded: nil
    }
  }
}

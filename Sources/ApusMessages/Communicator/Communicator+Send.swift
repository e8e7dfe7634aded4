import ApusWire

extension Communicator {
  /// Sends a value, and returns when the value may change again: at once for a small one, and when the receiver has
  /// taken it for a large one.
  ///
  /// Plain values and arrays of them (`RawCodable`) travel as memory, others encoded.
  ///
  /// - Parameters:
  ///   - value: What to send.
  ///   - destination: A rank of this communicator; its own too, which never waits.
  ///   - tag: In `0...largestTag`.
  /// - Throws: `MessageError`: `invalidArgument`, `notEncodable`, `rankFailed`, `rankEnded`,
  ///   `deadlock`, `finalized`.
  /// - Complexity: O(size of the value).
  @_specialize(where T == Int)
  @_specialize(where T == Double)
  @available(*, noasync, message: "await it instead")
  public func send<T: Codable>(_ value: T, to destination: Int, tag: Int = 0) throws {
    let world = try self.destination(destination, tag)
    let type = WireType(T.self)
    var envelope = Envelope(
      context: context, source: Int32(transport.rank), tag: Int32(tag),
      type: TypeCode.of(T.self, type.mark), count: 0)
    if let size = type.rawSize {
      envelope.count = size
      try withUnsafeBytes(of: value) { try transport.send($0, envelope, to: world) }
    } else if type.arrayStride != nil {
      try withUnsafePointer(to: value) {
        try type.withElements(of: $0) {
          envelope.count = $0.count
          try transport.send($0, envelope, to: world)
        }
      }
    } else if type.goesByCoder {
      var isEncoded = false
      do {
        try BinaryEncoder.withEncoded(value) {
          isEncoded = true
          envelope.count = $0.count
          try transport.send($0, envelope, to: world)
        }
      } catch {
        throw isEncoded ? error : notEncodable(error)
      }
    } else {
      let buffer = ByteBuffer(capacity: 256)
      try encode(value, ValueCodec<T>(), into: buffer)
      envelope.count = buffer.count
      try transport.send(buffer.bytes, envelope, to: world)
    }
  }

  package func encode<T>(_ value: T, _ codec: ValueCodec<T>, into buffer: ByteBuffer) throws {
    do { try codec.encode(value, into: buffer) } catch { throw notEncodable(error) }
  }

  private func notEncodable(_ error: any Error) -> any Error {
    MessageError(
      .notEncodable, "the value could not be encoded, so nothing was sent: \(error)", underlying: error)
  }
}

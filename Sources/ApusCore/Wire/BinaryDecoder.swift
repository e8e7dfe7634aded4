/// A message of the binary coder to a value.
///
/// The bytes are not trusted: whatever they are, the outcome is a value or an error. What is allocated is at
/// most a fixed multiple of the message: an element takes a byte of it or more, however large its type is.
package enum BinaryDecoder {
  /// The value that `bytes`, which need no alignment, are the encoding of. Throws what the type's own
  /// `init(from:)` throws, `DecodingError`, or `WireError`. O(size of the message) for usual types.
  package static func decode<T: Decodable>(_ type: T.Type, from bytes: UnsafeRawBufferPointer) throws -> T {
    guard let base = bytes.baseAddress, bytes.count > 4 else {
      throw WireError(.truncated, type: type, detail: "\(bytes.count) bytes are no message")
    }
    let keysEnd = bytes.count - 4
    let keysLength = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: keysEnd, as: UInt32.self)))
    guard keysLength < keysEnd else {
      throw WireError(.truncated, type: type, detail: "no room for \(keysLength) bytes of coding keys")
    }
    let end = keysEnd - keysLength
    let session = DecoderSession(base: base, end: end)
    defer { session.invalidate() }
    guard session.readKeys(from: end, to: keysEnd) else {
      throw WireError(.malformed, type: type, detail: "the table of coding keys is damaged")
    }
    guard let valueEnd = session.skip(0, end: end) else {
      throw WireError(.truncated, type: type, detail: "no complete value in \(bytes.count) bytes")
    }
    guard valueEnd == end else {
      throw WireError(.trailingBytes, type: type, detail: "\(end - valueEnd) bytes behind the value")
    }
    let value = try session.decode(type, at: 0, end: end, node: 0, element: WirePath.none)
    if let error = session.pending { throw error }
    return value
  }
}

/// The decoder that a type's `init(from:)` sees.
struct WireDecoder: Decoder {
  let session: DecoderSession
  let node: Int

  var codingPath: [any CodingKey] { session.path(node) }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    KeyedDecodingContainer(try keyed(type))
  }

  private func keyed<Key: CodingKey>(_ type: Key.Type) throws -> KeyedReader<Key> {
    var (position, end) = session.range(of: node)
    let tag = session.tag(at: position, end: end)
    switch tag {
    case .keyed, .longKeyed:
      position += 1
      guard let length = session.containerLength(tag!, &position, end: end) else { break }
      return KeyedReader(session: session, node: node, start: position, end: position + length)
    case .empty:
      return KeyedReader(session: session, node: node, start: position, end: position)
    default: break
    }
    throw session.failure([String: Any].self, at: position, end: end, node: node, key: nil)
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    var (position, end) = session.range(of: node)
    let tag = session.tag(at: position, end: end)
    position += 1
    switch tag {
    case .unkeyed, .longUnkeyed:
      guard let length = session.containerLength(tag!, &position, end: end) else { break }
      return UnkeyedReader(session: session, node: node, start: position, end: position + length, raw: nil)
    case .rawArray:
      guard let header = session.rawArrayHeader(&position, end: end) else { break }
      return UnkeyedReader(
        session: session, node: node, start: position, end: position + header.byteCount, raw: header)
    case .empty:
      return UnkeyedReader(session: session, node: node, start: position, end: position, raw: nil)
    default: break
    }
    (position, end) = session.range(of: node)
    throw session.failure([Any].self, at: position, end: end, node: node, key: nil)
  }

  func singleValueContainer() throws -> any SingleValueDecodingContainer {
    SingleValueReader(session: session, node: node)
  }
}

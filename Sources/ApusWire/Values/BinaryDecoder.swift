/// A message of the binary coder to a value.
///
/// The bytes are not trusted: whatever they are, the outcome is a value or an error. What is allocated is at
/// most a fixed multiple of the message: an element takes a byte of it or more, however large its type is.
package enum BinaryDecoder {
  // An `init(from:)` that itself decodes a message gets another session.
  private static let sessions = SessionPool()

  /// The value that `bytes`, which need no alignment, are the encoding of. Throws what the type's own
  /// `init(from:)` throws, `DecodingError`, or `WireError`. O(size of the message) for usual types.
  package static func decode<T: Decodable>(_ type: T.Type, from bytes: UnsafeRawBufferPointer) throws -> T {
    let state = take()
    defer { sessions.giveBack(state, .decoder) }
    return try decode(type, bytes, state)
  }

  /// The value whose `count` bytes `fill` fetches. Throws as `decode`, and what `fill` throws.
  package static func decode<T: Decodable>(
    _ type: T.Type, count: Int, _ fill: (UnsafeMutableRawPointer) throws -> Void
  ) throws -> T {
    let state = take()
    defer {
      state.pointee.store.reset(keeping: 1 << 16)
      sessions.giveBack(state, .decoder)
    }
    try fill(state.pointee.store.uninitialized(count: count))
    return try decode(type, state.pointee.store.bytes, state)
  }

  @inline(__always)
  private static func decode<T: Decodable>(
    _ type: T.Type, _ bytes: UnsafeRawBufferPointer, _ state: UnsafeMutablePointer<DecoderSession.State>
  ) throws -> T {
    guard let base = bytes.baseAddress, bytes.count > 4 else {
      throw WireError(.truncated, type: type, detail: "\(bytes.count) bytes are no message")
    }
    let keysEnd = bytes.count - 4
    let keysLength = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: keysEnd, as: UInt32.self)))
    guard keysLength < keysEnd else {
      throw WireError(.truncated, type: type, detail: "no room for \(keysLength) bytes of coding keys")
    }
    let end = keysEnd - keysLength
    let session = DecoderSession(state: state, base: base, end: end)
    defer { session.invalidate() }
    guard state.pointee.keys.read(UnsafeRawBufferPointer(start: base + end, count: keysLength)) else {
      throw WireError(.malformed, type: type, detail: "the table of coding keys is damaged")
    }
    guard let valueEnd = session.skip(0, end: end) else {
      throw WireError(.truncated, type: type, detail: "no complete value in \(bytes.count) bytes")
    }
    guard valueEnd == end else {
      throw WireError(.trailingBytes, type: type, detail: "\(end - valueEnd) bytes behind the value")
    }
    let value = try session.decode(type, at: 0, end: end, node: 0, element: WirePath.none)
    if let error = state.pointee.pending { throw error }
    return value
  }

  @inline(__always)
  private static func take() -> UnsafeMutablePointer<DecoderSession.State> {
    sessions.take(.decoder)?.assumingMemoryBound(to: DecoderSession.State.self) ?? makeState()
  }

  /// As `BinaryEncoder.makeSession`.
  @inline(never)
  private static func makeState() -> UnsafeMutablePointer<DecoderSession.State> {
    let state = DecoderSession.makeState()
    let values = LayoutProbe.message.withUnsafeBytes { try? decode([LayoutProbe].self, $0, state) }
    SwiftLayout.require(values == LayoutProbe.values ? nil : "containers")
    return state
  }
}

/// The decoder that a type's `init(from:)` sees.
struct WireDecoder: Decoder {
  let session: DecoderSession
  let node: Int

  var codingPath: [any CodingKey] { session.path(node) }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    let place = try place()
    let slot = session.state.pointee.containers.slot(for: type)
    if slot.pointee.key == ObjectIdentifier(type), isKnownUniquelyReferenced(&slot.pointee.container) {
      slot.pointee.place = place
      return decodingContainer(Unmanaged.passRetained(slot.pointee.container!).toOpaque(), type)
    }
    return make(place, type, slot)
  }

  @inline(never)
  private func make<Key: CodingKey>(
    _ place: ReaderPlace, _ type: Key.Type, _ slot: UnsafeMutablePointer<LentContainers<ReaderPlace>.Slot>
  ) -> KeyedDecodingContainer<Key> {
    guard slot.pointee.container == nil || isKnownUniquelyReferenced(&slot.pointee.container),
      MemoryLayout<KeyedDecodingContainer<Key>>.size == MemoryLayout<AnyObject>.size
    else { return KeyedDecodingContainer(KeyedReader<Key>(place)) }
    slot.pointee.place = place
    let lent = UnsafeMutableRawPointer(slot.pointer(to: \.place)!).assumingMemoryBound(to: ReaderPlace.self)
    let container = KeyedDecodingContainer(KeyedReader<Key>(lent: lent))
    slot.pointee.container = unsafeBitCast(container, to: AnyObject.self)
    slot.pointee.key = ObjectIdentifier(type)
    return container
  }

  @inline(__always)
  private func place() throws -> ReaderPlace {
    var (position, end) = session.range(of: node)
    let tag = session.tag(at: position, end: end)
    switch tag {
    case .keyed, .longKeyed:
      position += 1
      guard let length = session.containerLength(tag!, &position, end: end) else { break }
      return ReaderPlace(session: session, node: node, start: position, end: position + length)
    case .empty:
      return ReaderPlace(session: session, node: node, start: position, end: position)
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

/// As `encodingContainer`.
@_silgen_name("apus_decoding_container")
private func decodingContainer<Key: CodingKey>(
  _ reference: UnsafeMutableRawPointer, _ key: Key.Type
) -> KeyedDecodingContainer<Key>

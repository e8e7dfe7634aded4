/// Where a keyed container reads.
struct ReaderPlace: BitwiseCopyable {
  let session: DecoderSession
  let node: Int
  let start: Int
  let end: Int
}

/// A keyed container being read.
///
/// No reference is counted in it: the library copies its containers for calls.
struct KeyedReader<Key: CodingKey>: KeyedDecodingContainerProtocol {
  /// Where the container reads if it is lent again and again: in the session.
  private let lent: UnsafePointer<ReaderPlace>?
  private let own: ReaderPlace

  init(_ own: ReaderPlace) { (lent, self.own) = (nil, own) }

  init(lent: UnsafeMutablePointer<ReaderPlace>) { (self.lent, own) = (UnsafePointer(lent), lent.pointee) }

  @inline(__always)
  private var place: ReaderPlace { lent?.pointee ?? own }
  @inline(__always)
  var session: DecoderSession { place.session }
  @inline(__always)
  var node: Int { place.node }
  @inline(__always)
  var end: Int { place.end }
  @inline(__always)
  private var start: Int { place.start }

  var codingPath: [any CodingKey] { session.path(node) }

  var allKeys: [Key] {
    var keys: [Key] = []
    do {
      try session.forEachEntry(start: start, end: end, node: node) { _, entry in
        if let key = Key(stringValue: session.keys[entry.key]) { keys.append(key) }
        return true
      }
    } catch {
      session.setPending(error)
    }
    return keys
  }

  func contains(_ key: Key) -> Bool {
    do {
      return try session.find(key.stringValue, start: start, end: end, node: node) != nil
    } catch {
      session.setPending(error)
      return false
    }
  }

  func decodeNil(forKey key: Key) throws -> Bool {
    session.isNil(at: try position(key.stringValue, key), end: end)
  }

  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
    try value(type, try position(key.stringValue, key))
  }

  func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
    guard let position = try present(key) else { return nil }
    // What `encodeIfPresent` writes for an optional of an optional.
    if TypeFacts.of(type).pointee.kind == .optional { return try value(T?.self, position) }
    return try value(type, position)
  }

  func nestedContainer<NestedKey: CodingKey>(
    keyedBy type: NestedKey.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<NestedKey> {
    try decoder(key.stringValue, key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try decoder(key.stringValue, key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { try decoder(WireKey.super.stringValue, WireKey.super) }

  func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key.stringValue, key) }

  private func decoder(_ name: String, _ key: any CodingKey) throws -> WireDecoder {
    let position = try position(name, key)
    let child = try session.push(node: node, element: session.lastKey(of: node), position: position, end: end)
    return WireDecoder(session: session, node: child)
  }

  private func value<T: Decodable>(_ type: T.Type, _ position: Int) throws -> T {
    try session.decode(type, at: position, end: end, node: node, element: session.lastKey(of: node))
  }

  @inline(__always)
  func position<K: CodingKey>(_ name: String, _ key: K) throws -> Int {
    let place = place
    guard let position = try place.session.find(name, start: place.start, end: place.end, node: place.node)
    else { throw missing(name, key) }
    return position
  }

  @inline(never)
  private func missing(_ name: String, _ key: any CodingKey) -> any Error {
    DecodingError.keyNotFound(
      key, .init(codingPath: codingPath, debugDescription: "no value for the key \"\(name)\""))
  }

  /// The position of the key's value, or nil if there is none or it is nil.
  func present(_ key: Key) throws -> Int? {
    guard let position = try session.find(key.stringValue, start: start, end: end, node: node),
      !session.isNil(at: position, end: end)
    else { return nil }
    return position
  }

  @inline(__always)
  func checked<T>(_ value: T?, _ position: Int, _ key: Key) throws -> T {
    guard let value else { throw failure(T.self, position, key) }
    return value
  }

  @inline(never)
  private func failure(_ type: Any.Type, _ position: Int, _ key: any CodingKey) -> any Error {
    session.failure(type, at: position, end: end, node: node, key: key)
  }
}

/// A keyed container being read.
struct KeyedReader<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let session: DecoderSession
  let node: Int
  let start: Int
  let end: Int

  var codingPath: [any CodingKey] { session.path(node) }

  var allKeys: [Key] {
    var keys: [Key] = []
    do {
      try session.forEachEntry(start: start, end: end, node: node) { _, entry in
        if let key = Key(stringValue: session.keys[entry.key]) { keys.append(key) }
        return true
      }
    } catch {
      session.pending = session.pending ?? error
    }
    return keys
  }

  func contains(_ key: Key) -> Bool {
    do {
      return try session.find(key.stringValue, start: start, end: end, node: node) != nil
    } catch {
      session.pending = session.pending ?? error
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

  func position<K: CodingKey>(_ name: String, _ key: K) throws -> Int {
    guard let position = try session.find(name, start: start, end: end, node: node) else {
      throw DecodingError.keyNotFound(
        key, .init(codingPath: codingPath, debugDescription: "no value for the key \"\(name)\""))
    }
    return position
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
    guard let value else { throw session.failure(T.self, at: position, end: end, node: node, key: key) }
    return value
  }
}

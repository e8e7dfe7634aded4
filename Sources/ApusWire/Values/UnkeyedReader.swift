/// An unkeyed container being read: the values of one that was written as such, or of an array that travelled
/// as raw memory.
struct UnkeyedReader: UnkeyedDecodingContainer {
  typealias RawHeader = RawArrayHeader

  let session: DecoderSession
  let node: Int
  let start: Int
  let end: Int
  /// What the elements of a raw array are.
  let raw: RawHeader?
  private(set) var position: Int
  private(set) var currentIndex = 0

  init(session: DecoderSession, node: Int, start: Int, end: Int, raw: RawHeader?) {
    self.session = session
    self.node = node
    self.start = start
    self.end = end
    self.raw = raw
    position = start
  }

  var codingPath: [any CodingKey] { session.path(node) }
  var isAtEnd: Bool { position >= end }

  /// Counted when asked for, O(count): the message does not say it.
  var count: Int? {
    if let raw { return (end - start) / raw.stride }
    guard session.isAlive else { return nil }
    var count = 0
    var position = start
    while position < end {
      guard let next = session.skip(position, end: end) else { return nil }
      position = next
      count += 1
    }
    return count
  }

  mutating func decodeNil() throws -> Bool {
    try begin(Any.self)
    guard raw == nil, session.isNil(at: position, end: end) else { return false }
    advance(to: position + 1)
    return true
  }

  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
    try begin(type)
    if let raw { return try element(type, raw) }
    guard let next = session.skip(position, end: end) else { throw failure(type) }
    let value = try session.decode(
      type, at: position, end: end, node: node, element: WirePath.index(currentIndex))
    advance(to: next)
    return value
  }

  mutating func nestedContainer<NestedKey: CodingKey>(
    keyedBy type: NestedKey.Type
  ) throws -> KeyedDecodingContainer<NestedKey> {
    let (decoder, next) = try nested()
    let container = try decoder.container(keyedBy: type)
    advance(to: next)
    return container
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    let (decoder, next) = try nested()
    let container = try decoder.unkeyedContainer()
    advance(to: next)
    return container
  }

  mutating func superDecoder() throws -> any Decoder {
    let (decoder, next) = try nested()
    advance(to: next)
    return decoder
  }

  private func nested() throws -> (WireDecoder, Int) {
    try begin(Any.self)
    guard raw == nil, let next = session.skip(position, end: end) else { throw failure(Any.self) }
    let child = try session.push(
      node: node, element: WirePath.index(currentIndex), position: position, end: end)
    return (WireDecoder(session: session, node: child), next)
  }

  // MARK: Steps

  private func begin(_ type: Any.Type) throws {
    guard session.isAlive else { throw session.stale() }
    guard position < end else {
      throw DecodingError.valueNotFound(
        type,
        .init(
          codingPath: codingPath + [WireKey(index: currentIndex)],
          debugDescription: "the container has ended after \(currentIndex) values"))
    }
  }

  mutating func advance(to next: Int) {
    position = next
    currentIndex += 1
  }

  func failure(_ type: Any.Type) -> any Error {
    let key = WireKey(index: currentIndex)
    guard let raw else { return session.failure(type, at: position, end: end, node: node, key: key) }
    return DecodingError.typeMismatch(
      type,
      .init(
        codingPath: codingPath + [key],
        debugDescription: "found \(raw.code) of an array that travelled as raw memory instead of \(type)"))
  }

  /// Reads a scalar: `tagged` moves the position behind it.
  @inline(__always)
  mutating func scalar<T>(
    _ type: T.Type, _ tagged: (Self, inout Int) -> T?, _ fromRaw: (Self, RawHeader) -> T?
  ) throws -> T {
    try begin(type)
    var next = position
    let value: T?
    if let raw {
      value = fromRaw(self, raw)
      next += raw.stride
    } else {
      value = tagged(self, &next)
    }
    guard let value else { throw failure(type) }
    advance(to: next)
    return value
  }
}

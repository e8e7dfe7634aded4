/// A container for the one value that a decoder stands at.
struct SingleValueReader: SingleValueDecodingContainer {
  let session: DecoderSession
  let node: Int

  var codingPath: [any CodingKey] { session.path(node) }

  func decodeNil() -> Bool {
    let (position, end) = session.range(of: node)
    return session.isNil(at: position, end: end)
  }

  func decode<T: Decodable>(_ type: T.Type) throws -> T {
    let (position, end) = session.range(of: node)
    return try session.decode(type, at: position, end: end, node: node, element: WirePath.none)
  }

  @inline(__always)
  private func scalar<T>(_ read: (inout Int, Int) -> T?) throws -> T {
    let (position, end) = session.range(of: node)
    var next = position
    guard let value = read(&next, end) else {
      throw session.failure(T.self, at: position, end: end, node: node, key: nil)
    }
    return value
  }

  func decode(_ type: Bool.Type) throws -> Bool { try scalar { session.bool(&$0, end: $1) } }

  func decode(_ type: String.Type) throws -> String { try scalar { session.string(&$0, end: $1) } }

  func decode(_ type: Double.Type) throws -> Double { try scalar { session.double(&$0, end: $1) } }

  func decode(_ type: Float.Type) throws -> Float { try scalar { session.float(&$0, end: $1) } }

  func decode(_ type: Int.Type) throws -> Int { try scalar { session.integer(type, &$0, end: $1) } }

  func decode(_ type: Int8.Type) throws -> Int8 { try scalar { session.integer(type, &$0, end: $1) } }

  func decode(_ type: Int16.Type) throws -> Int16 { try scalar { session.integer(type, &$0, end: $1) } }

  func decode(_ type: Int32.Type) throws -> Int32 { try scalar { session.integer(type, &$0, end: $1) } }

  func decode(_ type: Int64.Type) throws -> Int64 { try scalar { session.integer(type, &$0, end: $1) } }

  func decode(_ type: Int128.Type) throws -> Int128 { try scalar { session.integer(type, &$0, end: $1) } }

  func decode(_ type: UInt.Type) throws -> UInt { try scalar { session.integer(type, &$0, end: $1) } }

  func decode(_ type: UInt8.Type) throws -> UInt8 { try scalar { session.integer(type, &$0, end: $1) } }

  func decode(_ type: UInt16.Type) throws -> UInt16 { try scalar { session.integer(type, &$0, end: $1) } }

  func decode(_ type: UInt32.Type) throws -> UInt32 { try scalar { session.integer(type, &$0, end: $1) } }

  func decode(_ type: UInt64.Type) throws -> UInt64 { try scalar { session.integer(type, &$0, end: $1) } }

  func decode(_ type: UInt128.Type) throws -> UInt128 { try scalar { session.integer(type, &$0, end: $1) } }
}

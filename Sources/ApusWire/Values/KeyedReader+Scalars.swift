/// The types that `Codable` has a method of its own for.
extension KeyedReader {
  @inline(__always)
  private func integer<I: FixedWidthInteger>(_ type: I.Type, _ position: Int, _ key: Key) throws -> I {
    var next = position
    return try checked(session.integer(type, &next, end: end), position, key)
  }

  private func bool(_ position: Int, _ key: Key) throws -> Bool {
    var next = position
    return try checked(session.bool(&next, end: end), position, key)
  }

  private func string(_ position: Int, _ key: Key) throws -> String {
    var next = position
    return try checked(session.string(&next, end: end), position, key)
  }

  private func double(_ position: Int, _ key: Key) throws -> Double {
    var next = position
    return try checked(session.double(&next, end: end), position, key)
  }

  private func float(_ position: Int, _ key: Key) throws -> Float {
    var next = position
    return try checked(session.float(&next, end: end), position, key)
  }

  func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool {
    try bool(try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? {
    guard let position = try present(key) else { return nil }
    return try bool(position, key)
  }

  func decode(_ type: String.Type, forKey key: Key) throws -> String {
    try string(try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
    guard let position = try present(key) else { return nil }
    return try string(position, key)
  }

  func decode(_ type: Double.Type, forKey key: Key) throws -> Double {
    try double(try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? {
    guard let position = try present(key) else { return nil }
    return try double(position, key)
  }

  func decode(_ type: Float.Type, forKey key: Key) throws -> Float {
    try float(try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: Float.Type, forKey key: Key) throws -> Float? {
    guard let position = try present(key) else { return nil }
    return try float(position, key)
  }

  func decode(_ type: Int.Type, forKey key: Key) throws -> Int {
    try integer(type, try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? {
    guard let position = try present(key) else { return nil }
    return try integer(type, position, key)
  }

  func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 {
    try integer(type, try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: Int8.Type, forKey key: Key) throws -> Int8? {
    guard let position = try present(key) else { return nil }
    return try integer(type, position, key)
  }

  func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 {
    try integer(type, try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: Int16.Type, forKey key: Key) throws -> Int16? {
    guard let position = try present(key) else { return nil }
    return try integer(type, position, key)
  }

  func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 {
    try integer(type, try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: Int32.Type, forKey key: Key) throws -> Int32? {
    guard let position = try present(key) else { return nil }
    return try integer(type, position, key)
  }

  func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 {
    try integer(type, try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? {
    guard let position = try present(key) else { return nil }
    return try integer(type, position, key)
  }

  func decode(_ type: Int128.Type, forKey key: Key) throws -> Int128 {
    try integer(type, try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: Int128.Type, forKey key: Key) throws -> Int128? {
    guard let position = try present(key) else { return nil }
    return try integer(type, position, key)
  }

  func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt {
    try integer(type, try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: UInt.Type, forKey key: Key) throws -> UInt? {
    guard let position = try present(key) else { return nil }
    return try integer(type, position, key)
  }

  func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 {
    try integer(type, try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: UInt8.Type, forKey key: Key) throws -> UInt8? {
    guard let position = try present(key) else { return nil }
    return try integer(type, position, key)
  }

  func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 {
    try integer(type, try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) throws -> UInt16? {
    guard let position = try present(key) else { return nil }
    return try integer(type, position, key)
  }

  func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 {
    try integer(type, try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) throws -> UInt32? {
    guard let position = try present(key) else { return nil }
    return try integer(type, position, key)
  }

  func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 {
    try integer(type, try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? {
    guard let position = try present(key) else { return nil }
    return try integer(type, position, key)
  }

  func decode(_ type: UInt128.Type, forKey key: Key) throws -> UInt128 {
    try integer(type, try position(key.stringValue, key), key)
  }

  func decodeIfPresent(_ type: UInt128.Type, forKey key: Key) throws -> UInt128? {
    guard let position = try present(key) else { return nil }
    return try integer(type, position, key)
  }
}

/// The types that `Codable` has a method of its own for.
extension UnkeyedReader {
  mutating func decode(_ type: Bool.Type) throws -> Bool {
    try scalar(type, { $0.session.bool(&$1, end: $0.end) }, { _, _ in nil })
  }

  mutating func decode(_ type: String.Type) throws -> String {
    try scalar(type, { $0.session.string(&$1, end: $0.end) }, { _, _ in nil })
  }

  mutating func decode(_ type: Double.Type) throws -> Double {
    try scalar(type, { $0.session.double(&$1, end: $0.end) }, { $0.rawFloating(type, $1) })
  }

  mutating func decode(_ type: Float.Type) throws -> Float {
    try scalar(type, { $0.session.float(&$1, end: $0.end) }, { $0.rawFloating(type, $1) })
  }

  mutating func decode(_ type: Int.Type) throws -> Int {
    try scalar(type, { $0.session.integer(type, &$1, end: $0.end) }, { $0.rawInteger(type, $1) })
  }

  mutating func decode(_ type: Int8.Type) throws -> Int8 {
    try scalar(type, { $0.session.integer(type, &$1, end: $0.end) }, { $0.rawInteger(type, $1) })
  }

  mutating func decode(_ type: Int16.Type) throws -> Int16 {
    try scalar(type, { $0.session.integer(type, &$1, end: $0.end) }, { $0.rawInteger(type, $1) })
  }

  mutating func decode(_ type: Int32.Type) throws -> Int32 {
    try scalar(type, { $0.session.integer(type, &$1, end: $0.end) }, { $0.rawInteger(type, $1) })
  }

  mutating func decode(_ type: Int64.Type) throws -> Int64 {
    try scalar(type, { $0.session.integer(type, &$1, end: $0.end) }, { $0.rawInteger(type, $1) })
  }

  mutating func decode(_ type: Int128.Type) throws -> Int128 {
    try scalar(type, { $0.session.integer(type, &$1, end: $0.end) }, { $0.rawInteger(type, $1) })
  }

  mutating func decode(_ type: UInt.Type) throws -> UInt {
    try scalar(type, { $0.session.integer(type, &$1, end: $0.end) }, { $0.rawInteger(type, $1) })
  }

  mutating func decode(_ type: UInt8.Type) throws -> UInt8 {
    try scalar(type, { $0.session.integer(type, &$1, end: $0.end) }, { $0.rawInteger(type, $1) })
  }

  mutating func decode(_ type: UInt16.Type) throws -> UInt16 {
    try scalar(type, { $0.session.integer(type, &$1, end: $0.end) }, { $0.rawInteger(type, $1) })
  }

  mutating func decode(_ type: UInt32.Type) throws -> UInt32 {
    try scalar(type, { $0.session.integer(type, &$1, end: $0.end) }, { $0.rawInteger(type, $1) })
  }

  mutating func decode(_ type: UInt64.Type) throws -> UInt64 {
    try scalar(type, { $0.session.integer(type, &$1, end: $0.end) }, { $0.rawInteger(type, $1) })
  }

  mutating func decode(_ type: UInt128.Type) throws -> UInt128 {
    try scalar(type, { $0.session.integer(type, &$1, end: $0.end) }, { $0.rawInteger(type, $1) })
  }
}

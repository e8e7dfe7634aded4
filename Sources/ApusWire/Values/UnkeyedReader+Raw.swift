/// The elements of an array that travelled as raw memory, read one by one: by a type that encodes itself as an
/// array and decodes itself through a container.
extension UnkeyedReader {
  mutating func element<T: Decodable>(_ type: T.Type, _ raw: RawHeader) throws -> T {
    let facts = TypeFacts.of(type)
    let value: T?
    switch facts.pointee.kind {
    case .int, .int64: value = rawInteger(Int.self, raw).map { unsafeBitCast($0, to: T.self) }
    case .int8: value = rawInteger(Int8.self, raw).map { unsafeBitCast($0, to: T.self) }
    case .int16: value = rawInteger(Int16.self, raw).map { unsafeBitCast($0, to: T.self) }
    case .int32: value = rawInteger(Int32.self, raw).map { unsafeBitCast($0, to: T.self) }
    case .int128: value = rawInteger(Int128.self, raw).map { unsafeBitCast($0, to: T.self) }
    case .uint, .uint64: value = rawInteger(UInt.self, raw).map { unsafeBitCast($0, to: T.self) }
    case .uint8: value = rawInteger(UInt8.self, raw).map { unsafeBitCast($0, to: T.self) }
    case .uint16: value = rawInteger(UInt16.self, raw).map { unsafeBitCast($0, to: T.self) }
    case .uint32: value = rawInteger(UInt32.self, raw).map { unsafeBitCast($0, to: T.self) }
    case .uint128: value = rawInteger(UInt128.self, raw).map { unsafeBitCast($0, to: T.self) }
    case .float: value = rawFloating(Float.self, raw).map { unsafeBitCast($0, to: T.self) }
    case .double: value = rawFloating(Double.self, raw).map { unsafeBitCast($0, to: T.self) }
    case .raw where raw.code == .opaque && raw.stride == facts.pointee.stride:
      value = rawValue(type, facts.pointee.raw!, session.base + position)
    default: value = nil
    }
    guard let value else { throw failure(type) }
    advance(to: position + raw.stride)
    return value
  }

  func rawInteger<I: FixedWidthInteger>(_ type: I.Type, _ raw: RawHeader) -> I? {
    switch raw.code {
    case .int8: I(exactly: session.load(position, as: Int8.self))
    case .int16: I(exactly: session.load(position, as: Int16.self))
    case .int32: I(exactly: session.load(position, as: Int32.self))
    case .int64: I(exactly: session.load(position, as: Int64.self))
    case .int128: I(exactly: session.load(position, as: Int128.self))
    case .uint8: I(exactly: session.load(position, as: UInt8.self))
    case .uint16: I(exactly: session.load(position, as: UInt16.self))
    case .uint32: I(exactly: session.load(position, as: UInt32.self))
    case .uint64: I(exactly: session.load(position, as: UInt64.self))
    case .uint128: I(exactly: session.load(position, as: UInt128.self))
    case .float, .double, .opaque: nil
    }
  }

  func rawFloating<F: BinaryFloatingPoint>(_ type: F.Type, _ raw: RawHeader) -> F? {
    switch raw.code {
    case .float:
      let value = session.load(position, as: Float.self)
      return value.isNaN ? F.nan : F(exactly: value)
    case .double:
      let value = session.load(position, as: Double.self)
      return value.isNaN ? F.nan : F(exactly: value)
    default:
      return rawInteger(Int128.self, raw).flatMap { F(exactly: $0) }
    }
  }
}

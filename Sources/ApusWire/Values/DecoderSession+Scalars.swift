/// Reading scalars. Nil means that the bytes are no such value; the caller asks `failure` for the reason. A
/// position that is passed `inout` moves behind what was read, and means nothing after nil.
extension DecoderSession {
  @inline(__always)
  func byte(_ position: Int) -> UInt8 { base.load(fromByteOffset: position, as: UInt8.self) }

  @inline(__always)
  func load<T: BitwiseCopyable>(_ position: Int, as type: T.Type) -> T {
    base.loadUnaligned(fromByteOffset: position, as: type)
  }

  @inline(__always)
  func varint(at position: inout Int, end: Int) -> Int? { base.varint(at: &position, end: end) }

  /// The position behind the value at `position`, or nil if there is no whole value before `end`.
  @inline(__always)
  func skip(_ position: Int, end: Int) -> Int? { base.skipValue(position, end: end) }

  /// The length of the container whose tag stands before `position`; checked against `end`.
  @inline(__always)
  func containerLength(_ tag: WireTag, _ position: inout Int, end: Int) -> Int? {
    base.containerLength(tag, &position, end: end)
  }

  /// What stands between the tag of a raw array and its bytes; all of it is checked.
  @inline(__always)
  func rawArrayHeader(_ position: inout Int, end: Int) -> RawArrayHeader? {
    base.rawArrayHeader(&position, end: end)
  }

  @inline(__always)
  func tag(at position: Int, end: Int) -> WireTag? {
    position < end ? WireTag(rawValue: byte(position)) : nil
  }

  func isNil(at position: Int, end: Int) -> Bool { tag(at: position, end: end) == .null }

  func isPresent(at position: Int, end: Int) -> Bool { tag(at: position, end: end) == .present }

  @inline(__always)
  func bool(_ position: inout Int, end: Int) -> Bool? {
    guard position < end else { return nil }
    let byte = byte(position)
    guard byte == WireTag.true.rawValue || byte == WireTag.false.rawValue else { return nil }
    position += 1
    return byte == WireTag.true.rawValue
  }

  @inline(__always)
  func integer<I: FixedWidthInteger>(_ type: I.Type, _ position: inout Int, end: Int) -> I? {
    guard position < end else { return nil }
    let byte = byte(position)
    if byte >= WireTag.smallInteger {
      position += 1
      return I(truncatingIfNeeded: byte & 0x7F)
    }
    if byte & 0xF0 == WireTag.integer {
      let width = Int(byte & 7) + 1
      guard width < end - position else { return nil }
      let magnitude = magnitude(at: position + 1, width: width, end: end)
      position += 1 + width
      guard let value = I(exactly: magnitude) else { return nil }
      if byte < WireTag.negative { return value }
      return I.isSigned ? ~value : nil
    }
    return wideInteger(type, &position, end: end)
  }

  @inline(__always)
  private func magnitude(at position: Int, width: Int, end: Int) -> UInt64 {
    if end - position >= 8 {
      let all = UInt64(littleEndian: load(position, as: UInt64.self))
      return all & (UInt64.max >> UInt64(64 - 8 * width))
    }
    var value: UInt64 = 0
    for index in 0..<width { value |= UInt64(byte(position + index)) << UInt64(8 * index) }
    return value
  }

  @inline(never)
  private func wideInteger<I: FixedWidthInteger>(_ type: I.Type, _ position: inout Int, end: Int) -> I? {
    let tag = tag(at: position, end: end)
    guard tag == .wide || tag == .wideNegative, end - position >= 17,
      let value = I(exactly: UInt128(littleEndian: load(position + 1, as: UInt128.self)))
    else { return nil }
    position += 17
    if tag == .wide { return value }
    return I.isSigned ? ~value : nil
  }

  @inline(__always)
  func double(_ position: inout Int, end: Int) -> Double? {
    if tag(at: position, end: end) == .double, end - position >= 9 {
      defer { position += 9 }
      return Double(bitPattern: UInt64(littleEndian: load(position + 1, as: UInt64.self)))
    }
    return floating(Double.self, &position, end: end)
  }

  @inline(__always)
  func float(_ position: inout Int, end: Int) -> Float? {
    if tag(at: position, end: end) == .float, end - position >= 5 {
      defer { position += 5 }
      return Float(bitPattern: UInt32(littleEndian: load(position + 1, as: UInt32.self)))
    }
    return floating(Float.self, &position, end: end)
  }

  /// A number that was written as another type: accepted if its value is the same.
  @inline(never)
  private func floating<F: BinaryFloatingPoint>(_ type: F.Type, _ position: inout Int, end: Int) -> F? {
    switch tag(at: position, end: end) {
    case .double:
      guard end - position >= 9 else { return nil }
      let value = Double(bitPattern: UInt64(littleEndian: load(position + 1, as: UInt64.self)))
      position += 9
      return value.isNaN ? F.nan : F(exactly: value)
    case .float:
      guard end - position >= 5 else { return nil }
      let value = Float(bitPattern: UInt32(littleEndian: load(position + 1, as: UInt32.self)))
      position += 5
      return value.isNaN ? F.nan : F(exactly: value)
    default:
      return integer(Int128.self, &position, end: end).flatMap { F(exactly: $0) }
    }
  }

  func string(_ position: inout Int, end: Int) -> String? {
    guard position < end else { return nil }
    let byte = byte(position)
    let length: Int
    if byte & 0xC0 == WireTag.shortString {
      position += 1
      length = Int(byte & 0x3F)
    } else {
      guard byte == WireTag.string.rawValue else { return nil }
      position += 1
      guard let long = varint(at: &position, end: end) else { return nil }
      length = long
    }
    guard length <= end - position else { return nil }
    defer { position += length }
    return String(utf8: UnsafeRawBufferPointer(start: base + position, count: length))
  }
}

extension String {
  /// The string of these bytes, or nil if they are no UTF-8.
  init?(utf8 bytes: UnsafeRawBufferPointer) {
    // `String(validating:as:)` does the same, and takes 100 ns more as it is generic and not specialised.
    let string = bytes.withMemoryRebound(to: UInt8.self) { String._tryFromUTF8($0) }
    guard let string else { return nil }
    self = string
  }
}

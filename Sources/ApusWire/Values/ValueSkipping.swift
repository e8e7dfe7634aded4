/// Finding the end of a value without reading it: nil where the bytes are none. Offsets are from the message's start.
extension UnsafeRawPointer {
  /// The position behind the value at `position`, or nil if there is no whole value before `end`. O(1), apart
  /// from a row of `present`.
  func skipValue(_ position: Int, end: Int) -> Int? {
    var position = position
    var tag: WireTag?
    repeat {
      guard position < end else { return nil }
      let byte = load(fromByteOffset: position, as: UInt8.self)
      position += 1
      if byte >= WireTag.smallInteger { return position }
      if byte >= WireTag.shortString { return advance(position, by: Int(byte & 0x3F), end: end) }
      if byte >= WireTag.integer {
        return byte < 0x20 ? advance(position, by: Int(byte & 7) + 1, end: end) : nil
      }
      tag = WireTag(rawValue: byte)
    } while tag == .present
    switch tag {
    case .null, .false, .true, .empty: return position
    case .float: return advance(position, by: 4, end: end)
    case .double: return advance(position, by: 8, end: end)
    case .wide, .wideNegative: return advance(position, by: 16, end: end)
    case .string, .raw:
      guard let length = varint(at: &position, end: end) else { return nil }
      return advance(position, by: length, end: end)
    case .rawArray:
      guard let header = rawArrayHeader(&position, end: end) else { return nil }
      return position + header.byteCount
    case .keyed, .unkeyed, .longKeyed, .longUnkeyed:
      guard let length = containerLength(tag!, &position, end: end) else { return nil }
      return position + length
    case .present, nil: return nil
    }
  }

  @inline(__always)
  private func advance(_ position: Int, by length: Int, end: Int) -> Int? {
    length <= end - position ? position + length : nil
  }

  /// The length of the container whose tag stands before `position`; checked against `end`.
  func containerLength(_ tag: WireTag, _ position: inout Int, end: Int) -> Int? {
    let isLong = tag == .longKeyed || tag == .longUnkeyed
    let width = isLong ? 8 : 4
    guard end - position >= width else { return nil }
    let length =
      isLong
      ? Int(exactly: UInt64(littleEndian: loadUnaligned(fromByteOffset: position, as: UInt64.self)))
      : Int(UInt32(littleEndian: loadUnaligned(fromByteOffset: position, as: UInt32.self)))
    position += width
    guard let length, length <= end - position else { return nil }
    return length
  }

  /// What stands between the tag of a raw array and its bytes; all of it is checked.
  func rawArrayHeader(_ position: inout Int, end: Int) -> RawArrayHeader? {
    guard position < end, let code = ElementCode(rawValue: load(fromByteOffset: position, as: UInt8.self))
    else { return nil }
    position += 1
    guard let stride = varint(at: &position, end: end), stride > 0, code.stride ?? stride == stride,
      let byteCount = varint(at: &position, end: end), byteCount <= end - position,
      byteCount % stride == 0
    else { return nil }
    return RawArrayHeader(code: code, stride: stride, byteCount: byteCount)
  }
}

/// What stands before the bytes of a raw array.
struct RawArrayHeader {
  let code: ElementCode
  let stride: Int
  let byteCount: Int
}

/// The values that are written without a scope.
extension EncoderSink {
  @inline(__always)
  func write(tag: WireTag) { buffer.append(tag.rawValue) }

  func writeNil() { write(tag: .null) }

  @inline(__always)
  func write(_ value: Bool) { write(tag: value ? .true : .false) }

  @inline(__always)
  func write(_ value: Float) {
    write(tag: .float)
    buffer.append(value.bitPattern.littleEndian)
  }

  @inline(__always)
  func write(_ value: Double) {
    write(tag: .double)
    buffer.append(value.bitPattern.littleEndian)
  }

  @inline(__always)
  func write<I: FixedWidthInteger>(_ value: I) {
    let isNegative = value < 0
    let magnitude = isNegative ? ~value : value
    if I.bitWidth > 64, magnitude > UInt64.max {
      write(tag: isNegative ? .wideNegative : .wide)
      buffer.append(UInt128(truncatingIfNeeded: magnitude).littleEndian)
      return
    }
    write(magnitude: UInt64(truncatingIfNeeded: magnitude), isNegative: isNegative)
  }

  @inline(__always)
  private func write(magnitude: UInt64, isNegative: Bool) {
    if magnitude < 0x80, !isNegative {
      buffer.append(WireTag.smallInteger | UInt8(truncatingIfNeeded: magnitude))
      return
    }
    // All eight bytes are stored and as many counted as are not zero: cheaper than a loop over them.
    let width = (71 - (magnitude | 1).leadingZeroBitCount) >> 3
    buffer.reserve(9)
    let tail = buffer.tail
    let tag = isNegative ? WireTag.negative : WireTag.integer
    tail.storeBytes(of: tag + UInt8(truncatingIfNeeded: width - 1), as: UInt8.self)
    (tail + 1).storeBytes(of: magnitude.littleEndian, as: UInt64.self)
    buffer.commit(1 + width)
  }

  func write(_ value: String) {
    let count = value.utf8.count
    if count < 0x40 {
      buffer.append(WireTag.shortString | UInt8(truncatingIfNeeded: count))
    } else {
      write(tag: .string)
      write(varint: count)
    }
    buffer.append(utf8: value)
  }

  func write(rawArray: any RawArrayOnWire.Type, at pointer: UnsafeRawPointer) {
    rawArray.withElements(of: pointer) { bytes in
      buffer.reserve(24 + bytes.count)
      write(tag: .rawArray)
      buffer.append(rawArray.elementCode.rawValue)
      write(varint: rawArray.elementStride)
      write(varint: bytes.count)
      buffer.append(contentsOf: bytes)
    }
  }

  /// Writes a `Data` as an array of `UInt8` is written.
  func write<D: RangeReplaceableCollection<UInt8>>(data: D.Type, at pointer: UnsafeRawPointer) {
    write(tag: .rawArray)
    buffer.append(ElementCode.uint8.rawValue)
    write(varint: 1)
    let data = pointer.assumingMemoryBound(to: D.self).pointee
    write(varint: data.count)
    buffer.append(elements: data)
  }

  @inline(__always)
  func write(varint value: Int) { buffer.append(varint: value) }

  /// Writes the number of `key` in the message's table, and returns it. Throws if `serial` is not the scope's.
  @inline(__always)
  func write(key: String, serial: Int) throws -> Int {
    try check(serial)
    let number = session.keyTable.number(of: key)
    write(varint: number)
    return number
  }
}

extension ByteBuffer {
  /// Appends a length: seven bits a byte, the least first, the top bit set on all but the last.
  @inline(__always)
  func append(varint value: Int) {
    var rest = UInt(bitPattern: value)
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(truncatingIfNeeded: rest))
  }

  /// Appends the text of `string`, without a length.
  func append(utf8 string: String) {
    append(elements: string.utf8)
  }

  /// Appends the bytes of `elements`.
  @inline(__always)
  func append(elements: some Sequence<UInt8>) {
    let done: Void? = elements.withContiguousStorageIfAvailable {
      append(contentsOf: UnsafeRawBufferPointer($0))
    }
    if done == nil { for byte in elements { append(byte) } }
  }
}

/// The values that are written without a scope.
extension EncoderSink {
  @inline(__always)
  func write(tag: WireTag) { state.pointee.store.append(tag.rawValue) }

  func writeNil() { write(tag: .null) }

  @inline(__always)
  func write(_ value: Bool) { write(tag: value ? .true : .false) }

  @inline(__always)
  func write(_ value: Float) {
    write(tag: .float)
    state.pointee.store.append(value.bitPattern.littleEndian)
  }

  @inline(__always)
  func write(_ value: Double) {
    write(tag: .double)
    state.pointee.store.append(value.bitPattern.littleEndian)
  }

  @inline(__always)
  func write<I: FixedWidthInteger>(_ value: I) {
    let isNegative = value < 0
    let magnitude = isNegative ? ~value : value
    if I.bitWidth > 64, magnitude > UInt64.max {
      write(tag: isNegative ? .wideNegative : .wide)
      state.pointee.store.append(UInt128(truncatingIfNeeded: magnitude).littleEndian)
      return
    }
    write(magnitude: UInt64(truncatingIfNeeded: magnitude), isNegative: isNegative)
  }

  @inline(__always)
  private func write(magnitude: UInt64, isNegative: Bool) {
    if magnitude < 0x80, !isNegative {
      state.pointee.store.append(WireTag.smallInteger | UInt8(truncatingIfNeeded: magnitude))
      return
    }
    // All eight bytes are stored and as many counted as are not zero: cheaper than a loop over them.
    let width = (71 - (magnitude | 1).leadingZeroBitCount) >> 3
    state.pointee.store.reserve(9)
    let tail = state.pointee.store.tail
    let tag = isNegative ? WireTag.negative : WireTag.integer
    tail.storeBytes(of: tag + UInt8(truncatingIfNeeded: width - 1), as: UInt8.self)
    (tail + 1).storeBytes(of: magnitude.littleEndian, as: UInt64.self)
    state.pointee.store.commit(1 + width)
  }

  @inline(__always)
  func write(_ value: String) {
    let count = value.utf8.count
    if count < 0x40 {
      state.pointee.store.append(WireTag.shortString | UInt8(truncatingIfNeeded: count))
    } else {
      write(tag: .string)
      write(varint: count)
    }
    state.pointee.store.append(utf8: value, count: count)
  }

  /// Writes an array of elements of eight bytes.
  func write(words: [UInt64], _ code: ElementCode) {
    words.withUnsafeBytes { bytes in
      state.pointee.store.reserve(16 + bytes.count)
      write(tag: .rawArray)
      state.pointee.store.append(code.rawValue)
      write(varint: 8)
      write(varint: bytes.count)
      state.pointee.store.append(contentsOf: bytes)
    }
  }

  func write(rawArray: any RawArrayOnWire.Type, at pointer: UnsafeRawPointer) {
    rawArray.withElements(of: pointer) { bytes in
      state.pointee.store.reserve(24 + bytes.count)
      write(tag: .rawArray)
      state.pointee.store.append(rawArray.elementCode.rawValue)
      write(varint: rawArray.elementStride)
      write(varint: bytes.count)
      state.pointee.store.append(contentsOf: bytes)
    }
  }

  /// Writes a `Data` as an array of `UInt8` is written.
  func write<D: RangeReplaceableCollection<UInt8>>(data: D.Type, at pointer: UnsafeRawPointer) {
    write(tag: .rawArray)
    state.pointee.store.append(ElementCode.uint8.rawValue)
    write(varint: 1)
    let data = pointer.assumingMemoryBound(to: D.self).pointee
    write(varint: data.count)
    state.pointee.store.append(elements: data)
  }

  @inline(__always)
  func write(varint value: Int) { state.pointee.store.append(varint: value) }

  /// Writes the number of `key` in the message's table, and returns it. Throws if `serial` is not the scope's.
  @inline(__always)
  func write(key: String, serial: Int) throws -> Int {
    try check(serial)
    let number = session.state.pointee.keyTable.number(of: key)
    write(varint: number)
    state.pointee.scope.lastKey = number > state.pointee.scope.lastKey ? number : .max
    return number
  }
}

import ApusSystem

/// Reading a value of any type.
extension DecoderSession {
  /// The value at `position`, which is `element` of `node`. Throws what `T.init(from:)` throws,
  /// `DecodingError`, or `WireError`.
  func decode<T: Decodable>(
    _ type: T.Type, at position: Int, end: Int, node: Int, element: Int
  ) throws -> T {
    let facts = TypeFacts.of(type)
    var next = position
    func checked<V>(_ value: V?) throws -> T {
      guard let value else {
        throw failure(
          type, at: position, end: end, node: node, key: WirePath.key(element, keys: keys))
      }
      return unsafeBitCast(value, to: T.self)
    }
    switch facts.pointee.kind {
    case .int: return try checked(integer(Int.self, &next, end: end))
    case .int8: return try checked(integer(Int8.self, &next, end: end))
    case .int16: return try checked(integer(Int16.self, &next, end: end))
    case .int32: return try checked(integer(Int32.self, &next, end: end))
    case .int64: return try checked(integer(Int64.self, &next, end: end))
    case .int128: return try checked(integer(Int128.self, &next, end: end))
    case .uint: return try checked(integer(UInt.self, &next, end: end))
    case .uint8: return try checked(integer(UInt8.self, &next, end: end))
    case .uint16: return try checked(integer(UInt16.self, &next, end: end))
    case .uint32: return try checked(integer(UInt32.self, &next, end: end))
    case .uint64: return try checked(integer(UInt64.self, &next, end: end))
    case .uint128: return try checked(integer(UInt128.self, &next, end: end))
    case .float: return try checked(float(&next, end: end))
    case .double: return try checked(double(&next, end: end))
    case .bool: return try checked(bool(&next, end: end))
    case .string: return try checked(string(&next, end: end))
    case .coded: return try value(type, at: position, end: end, node: node, element: element)
    case .rawArray:
      if let words = facts.pointee.words, let bytes = rawBytes(.init(words), &next, end: end) {
        return wordsArray(type, words, bytes)
      }
      fallthrough
    case .raw, .data, .optional:
      return try rarer(type, facts, at: position, end: end, node: node, element: element)
    }
  }

  /// What reads itself.
  @inline(__always)
  private func value<T: Decodable>(
    _ type: T.Type, at position: Int, end: Int, node: Int, element: Int
  ) throws -> T {
    let child = try push(node: node, element: element, position: position, end: end)
    defer { pop(to: child) }
    return try T(from: WireDecoder(session: self, node: child))
  }

  // Apart from the others, since optionals of `T` ask the runtime for their type.
  @inline(never)
  private func rarer<T: Decodable>(
    _ type: T.Type, _ facts: UnsafePointer<TypeFacts>, at position: Int, end: Int, node: Int, element: Int
  ) throws -> T {
    switch facts.pointee.kind {
    case .raw:
      if let value = raw(type, facts.pointee.raw!, at: position, end: end) { return value }
    case .rawArray:
      if let value = try rawArray(type, facts.pointee.rawArray!, at: position, end: end) { return value }
    case .data:
      if let value = data(type, facts.pointee.data!, at: position, end: end) { return value }
    case .optional:
      guard let optional = facts.pointee.decodableOptional else { break }
      return try self.optional(type, optional, at: position, end: end, node: node, element: element)
    default: break
    }
    // Also a raw type that the other side wrote through containers of its own.
    return try value(type, at: position, end: end, node: node, element: element)
  }

  /// The bytes of a raw array of elements of `code`, or nil if there is something else at `position`.
  @inline(__always)
  private func rawBytes(_ code: ElementCode, _ position: inout Int, end: Int) -> UnsafeRawBufferPointer? {
    guard tag(at: position, end: end) == .rawArray else { return nil }
    position += 1
    guard let header = rawArrayHeader(&position, end: end), header.code == code else { return nil }
    return UnsafeRawBufferPointer(start: base + position, count: header.byteCount)
  }

  /// An array of type `T`, which is one of `words`, with a copy of `bytes`.
  private func wordsArray<T>(_ type: T.Type, _ words: WordsArray, _ bytes: UnsafeRawBufferPointer) -> T {
    switch words {
    case .double: array(of: Double.self, bytes)
    case .int: array(of: Int.self, bytes)
    case .int64: array(of: Int64.self, bytes)
    case .uint: array(of: UInt.self, bytes)
    case .uint64: array(of: UInt64.self, bytes)
    }
  }

  /// A copy of `bytes` as an array of `Word`, read back as `T`, which is the same type. A bit cast would
  /// retain and release it.
  @inline(__always)
  private func array<Word: BitwiseCopyable, T>(of type: Word.Type, _ bytes: UnsafeRawBufferPointer) -> T {
    let count = bytes.count / 8
    let array = [Word](unsafeUninitializedCapacity: count) { buffer, initialized in
      // The capacity may be larger than asked for.
      let target = UnsafeMutableRawBufferPointer(
        rebasing: UnsafeMutableRawBufferPointer(buffer)[..<bytes.count])
      willFill(target)
      target.copyMemory(from: bytes)
      initialized = count
    }
    let room = UnsafeMutableRawPointer(state.pointer(to: \.room)!)
    room.initializeMemory(as: [Word].self, to: array)
    return room.assumingMemoryBound(to: T.self).move()
  }

  /// The memory of a `RawCodable` value, or nil if there is something else at `position`.
  private func raw<T, Raw: RawCodable>(
    _ type: T.Type, _ raw: Raw.Type, at position: Int, end: Int
  ) -> T? {
    guard tag(at: position, end: end) == .raw else { return nil }
    var position = position + 1
    guard let length = varint(at: &position, end: end), length == MemoryLayout<Raw>.size,
      length <= end - position
    else { return nil }
    return rawValue(type, raw, base + position)
  }

  private func optional<T, O: DecodableOptional>(
    _ type: T.Type, _ optional: O.Type, at position: Int, end: Int, node: Int, element: Int
  ) throws -> T {
    unsafeBitCast(
      try O.decode(at: position, end: end, session: self, node: node, element: element), to: T.self)
  }

  /// The bytes of a raw array of `UInt8`, or nil if there is something else at `position`.
  private func data<T, D: RangeReplaceableCollection<UInt8>>(
    _ type: T.Type, _ data: D.Type, at position: Int, end: Int
  ) -> T? {
    guard tag(at: position, end: end) == .rawArray else { return nil }
    var position = position + 1
    guard let header = rawArrayHeader(&position, end: end), header.code == .uint8 else { return nil }
    return dataValue(type, data, UnsafeRawBufferPointer(start: base + position, count: header.byteCount))
  }

  /// The elements of a raw array, or nil if there is something else at `position`.
  private func rawArray<T>(
    _ type: T.Type, _ rawArray: any RawArrayOnWire.Type, at position: Int, end: Int
  ) throws -> T? {
    guard tag(at: position, end: end) == .rawArray else { return nil }
    var position = position + 1
    guard let header = rawArrayHeader(&position, end: end), header.stride == rawArray.elementStride,
      header.code == rawArray.elementCode
    else { return nil }
    let bytes = UnsafeRawBufferPointer(start: base + position, count: header.byteCount)
    return try rawArrayValue(type, rawArray, byteCount: header.byteCount) { $0.copyMemory(from: bytes) }
  }
}

/// The value of type `T` (which is `Raw`) whose memory begins at `pointer`; the caller has checked that there
/// are as many bytes. Every bit pattern of them is a value: that is what `RawCodable` promises.
func rawValue<T, Raw: RawCodable>(_ type: T.Type, _ raw: Raw.Type, _ pointer: UnsafeRawPointer) -> T {
  unsafeBitCast(pointer.loadUnaligned(as: Raw.self), to: T.self)
}

/// An array of type `T` (which is `RawArray`), with storage filled by `fill`.
func rawArrayValue<T, RawArray: RawArrayOnWire>(
  _ type: T.Type, _ rawArray: RawArray.Type, byteCount: Int,
  _ fill: (UnsafeMutableRawBufferPointer) throws -> Void
) throws -> T {
  unsafeBitCast(try RawArray.make(byteCount: byteCount, fill), to: T.self)
}

/// A `Data` (of type `T`, which is `D`) with a copy of `bytes`.
func dataValue<T, D: RangeReplaceableCollection<UInt8>>(
  _ type: T.Type, _ data: D.Type, _ bytes: UnsafeRawBufferPointer
) -> T {
  bytes.withMemoryRebound(to: UInt8.self) { unsafeBitCast(D($0), to: T.self) }
}

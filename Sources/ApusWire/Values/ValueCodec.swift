/// Turns values of one type into bytes and back, in the cheapest way that the type allows.
///
/// Making a codec takes nanoseconds, except for the first of a type in the process. The bytes have no header:
/// both sides know the type. They are not trusted when they are decoded: whatever they are, the outcome is a
/// value or an error, and what is allocated is at most a fixed multiple of their number.
package struct ValueCodec<T: Codable>: Sendable {
  private enum Way: Sendable { case raw, rawArray, string, strings, bool, bools, data, coded }

  // Sound to share: records of types are written once and live for ever.
  nonisolated(unsafe) private let facts: UnsafePointer<TypeFacts>
  private let way: Way

  /// The codec for `T`.
  package init() {
    facts = TypeFacts.of(T.self)
    switch facts.pointee.kind {
    case .bool: way = .bool
    case .string: way = .string
    case .rawArray: way = .rawArray
    case .data: way = .data
    case .optional, .coded:
      way = facts.pointee.goesByCoder ? .coded : T.self == [String].self ? .strings : .bools
    default: way = .raw
    }
  }

  // MARK: Encoding

  /// Appends `value` to `buffer`. Throws what the type's own `encode(to:)` throws, `EncodingError`, or
  /// `WireError` (`tooDeep`, `misuse`); the buffer is then as it was before. O(size of the encoding).
  package func encode(_ value: T, into buffer: ByteBuffer) throws {
    switch way {
    case .raw, .bool: withUnsafeBytes(of: value) { buffer.append(contentsOf: $0) }
    case .rawArray:
      withUnsafePointer(to: value) {
        facts.pointee.rawArray!.withElements(of: $0) { buffer.append(contentsOf: $0) }
      }
    case .string: view(value, as: String.self) { buffer.append(utf8: $0) }
    case .strings:
      view(value, as: [String].self) { strings in
        for string in strings {
          buffer.append(varint: string.utf8.count)
          buffer.append(utf8: string)
        }
      }
    case .bools: view(value, as: [Bool].self) { $0.withUnsafeBytes { buffer.append(contentsOf: $0) } }
    case .data: withUnsafePointer(to: value) { append(facts.pointee.data!, at: $0, to: buffer) }
    case .coded: try BinaryEncoder.encode(value, into: buffer)
    }
  }

  /// Calls `body` with the storage of a raw array, without a copy. Returns nil, without calling it, if the
  /// value does not travel so. Throws what `body` throws.
  package func withRawBytes<R>(of value: T, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R? {
    guard way == .rawArray else { return nil }
    return try withUnsafePointer(to: value) { try facts.pointee.rawArray!.withElements(of: $0, body) }
  }

  // MARK: Decoding

  /// The value that `bytes`, which need no alignment, are the encoding of. Throws what the type's own
  /// `init(from:)` throws, `DecodingError`, or `WireError`. O(size of the encoding) for usual types.
  package func decode(_ bytes: UnsafeRawBufferPointer) throws -> T {
    switch way {
    case .raw:
      guard bytes.count == facts.pointee.size else { throw wrongSize(bytes.count) }
      // A type without fields has no bytes, and they need not be anywhere.
      return rawValue(T.self, facts.pointee.raw!, bytes.baseAddress ?? UnsafeRawPointer(facts))
    case .rawArray:
      guard bytes.count % facts.pointee.rawArray!.elementStride == 0 else { throw wrongSize(bytes.count) }
      return try rawArrayValue(T.self, facts.pointee.rawArray!, byteCount: bytes.count) {
        $0.copyMemory(from: bytes)
      }
    case .bool:
      guard bytes.count == 1 else { throw wrongSize(bytes.count) }
      guard bytes[0] <= 1 else { throw notBool() }
      return unsafeBitCast(bytes[0] == 1, to: T.self)
    case .string:
      guard let string = String(utf8: bytes) else { throw notText() }
      return unsafeBitCast(string, to: T.self)
    case .strings: return unsafeBitCast(try strings(bytes), to: T.self)
    case .bools: return unsafeBitCast(try bools(bytes), to: T.self)
    case .data: return dataValue(T.self, facts.pointee.data!, bytes)
    case .coded: return try BinaryDecoder.decode(T.self, from: bytes)
    }
  }

  /// A raw array of `byteCount` bytes whose storage `fill` writes, all of it: the way to receive a large array
  /// without a copy. Returns nil, without calling `fill`, if values of the type do not travel so.
  ///
  /// The storage is allocated before `fill` is called: check `byteCount` against what the peer may send.
  /// Throws what `fill` throws, and `WireError` (`malformed`) if there are no arrays of `byteCount` bytes.
  package func makeArray(
    byteCount: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws -> T? {
    guard way == .rawArray, let rawArray = facts.pointee.rawArray else { return nil }
    guard byteCount >= 0, byteCount % rawArray.elementStride == 0 else { throw wrongSize(byteCount) }
    return try rawArrayValue(T.self, rawArray, byteCount: byteCount, fill)
  }

  private func strings(_ bytes: UnsafeRawBufferPointer) throws -> [String] {
    guard let base = bytes.baseAddress else { return [] }
    var strings: [String] = []
    var position = 0
    while position < bytes.count {
      guard let length = base.varint(at: &position, end: bytes.count), length <= bytes.count - position
      else {
        throw WireError(.truncated, type: T.self, path: "[\(strings.count)]", detail: "the text is cut off")
      }
      guard let string = String(utf8: UnsafeRawBufferPointer(start: base + position, count: length)) else {
        throw notText()
      }
      strings.append(string)
      position += length
    }
    return strings
  }

  private func bools(_ bytes: UnsafeRawBufferPointer) throws -> [Bool] {
    // A byte other than 0 and 1 in a Bool is undefined behaviour, so look first.
    guard bytes.reduce(0, |) <= 1 else { throw notBool() }
    return [Bool](unsafeUninitializedCapacity: bytes.count) { buffer, count in
      UnsafeMutableRawBufferPointer(buffer).copyMemory(from: bytes)
      count = bytes.count
    }
  }

  // MARK: Helpers

  /// `value` as the type that it is known to have.
  @inline(__always)
  private func view<V>(_ value: T, as type: V.Type, _ body: (V) -> Void) {
    withUnsafePointer(to: value) { body(UnsafeRawPointer($0).assumingMemoryBound(to: V.self).pointee) }
  }

  private func append<D: RangeReplaceableCollection<UInt8>>(
    _ data: D.Type, at pointer: UnsafeRawPointer, to buffer: ByteBuffer
  ) {
    buffer.append(elements: pointer.assumingMemoryBound(to: D.self).pointee)
  }

  private func wrongSize(_ count: Int) -> WireError {
    if let stride = WireType(T.self).arrayStride {
      return WireError(
        .malformed, type: T.self, detail: "\(count) bytes are no multiple of an element's \(stride)")
    }
    let size = facts.pointee.size
    return WireError(
      count < size ? .truncated : .trailingBytes, type: T.self,
      detail: "a value has \(size) byte\(size == 1 ? "" : "s"), these are \(count)")
  }

  private func notText() -> WireError { WireError(.malformed, type: T.self, detail: "the text is no UTF-8") }

  private func notBool() -> WireError {
    WireError(.malformed, type: T.self, detail: "a Bool is neither 0 nor 1")
  }
}

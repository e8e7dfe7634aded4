import ApusSystem

/// An array whose elements' memory is its encoding: one type-erased door to the two array types that are `Codable`.
///
/// A value that is known to be of the type is bit-cast: `as! T` costs more than copying a small array does.
protocol RawArrayOnWire: SendableMetatype {
  static var elementStride: Int { get }
  static var elementCode: ElementCode { get }

  /// Calls `body` with the elements of the value of type `Self` that `pointer` points to.
  static func withElements<R>(
    of pointer: UnsafeRawPointer, _ body: (UnsafeRawBufferPointer) throws -> R
  ) rethrows -> R

  /// A value of `byteCount / elementStride` elements, written by `fill`; `byteCount` is a multiple of the
  /// stride.
  static func make(
    byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws -> Self
}

/// What one element of a raw array is, so that a type which reads its elements one by one can do so.
enum ElementCode: UInt8 {
  case opaque, int8, int16, int32, int64, int128, uint8, uint16, uint32, uint64, uint128, float, double

  static func of(_ type: Any.Type) -> ElementCode {
    switch ObjectIdentifier(type) {
    case ObjectIdentifier(Int8.self): .int8
    case ObjectIdentifier(Int16.self): .int16
    case ObjectIdentifier(Int32.self): .int32
    case ObjectIdentifier(Int64.self), ObjectIdentifier(Int.self): .int64
    case ObjectIdentifier(Int128.self): .int128
    case ObjectIdentifier(UInt8.self): .uint8
    case ObjectIdentifier(UInt16.self): .uint16
    case ObjectIdentifier(UInt32.self): .uint32
    case ObjectIdentifier(UInt64.self), ObjectIdentifier(UInt.self): .uint64
    case ObjectIdentifier(UInt128.self): .uint128
    case ObjectIdentifier(Float.self): .float
    case ObjectIdentifier(Double.self): .double
    default: .opaque
    }
  }

  /// The stride of an element, or nil where the message says it.
  var stride: Int? {
    switch self {
    case .opaque: nil
    case .int8, .uint8: 1
    case .int16, .uint16: 2
    case .int32, .uint32, .float: 4
    case .int64, .uint64, .double: 8
    case .int128, .uint128: 16
    }
  }
}

/// The arrays of numbers of eight bytes: the usual ones, read and written by code that is specialised for them.
enum WordsArray {
  case double, int, int64, uint, uint64

  init?(_ type: Any.Type) {
    switch ObjectIdentifier(type) {
    case ObjectIdentifier([Double].self): self = .double
    case ObjectIdentifier([Int].self): self = .int
    case ObjectIdentifier([Int64].self): self = .int64
    case ObjectIdentifier([UInt].self): self = .uint
    case ObjectIdentifier([UInt64].self): self = .uint64
    default: return nil
    }
  }
}

extension ElementCode {
  init(_ words: WordsArray) {
    switch words {
    case .double: self = .double
    case .int, .int64: self = .int64
    case .uint, .uint64: self = .uint64
    }
  }
}

extension Array: RawArrayOnWire where Element: RawCodable {
  static var elementStride: Int { MemoryLayout<Element>.stride }
  static var elementCode: ElementCode { .of(Element.self) }

  static func withElements<R>(
    of pointer: UnsafeRawPointer, _ body: (UnsafeRawBufferPointer) throws -> R
  ) rethrows -> R {
    try pointer.assumingMemoryBound(to: Self.self).pointee.withUnsafeBytes(body)
  }

  static func make(
    byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws -> Self {
    let elements = byteCount / elementStride
    return try Self(unsafeUninitializedCapacity: elements) { buffer, count in
      // The capacity may be larger than asked for.
      let bytes = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<byteCount])
      willFill(bytes)
      try fill(bytes)
      count = elements
    }
  }
}

extension ContiguousArray: RawArrayOnWire where Element: RawCodable {
  static var elementStride: Int { MemoryLayout<Element>.stride }
  static var elementCode: ElementCode { .of(Element.self) }

  static func withElements<R>(
    of pointer: UnsafeRawPointer, _ body: (UnsafeRawBufferPointer) throws -> R
  ) rethrows -> R {
    try pointer.assumingMemoryBound(to: Self.self).pointee.withUnsafeBytes(body)
  }

  static func make(
    byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws -> Self {
    let elements = byteCount / elementStride
    return try Self(unsafeUninitializedCapacity: elements) { buffer, count in
      let bytes = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<byteCount])
      willFill(bytes)
      try fill(bytes)
      count = elements
    }
  }
}

/// The operators of the usual kinds. For the standard number types the loops are compiled for the type, also
/// where the caller is generic and not specialised.
extension ElementOperator {
  /// The sum. Integers wrap around where it does not fit, as they do in MPI.
  package static func sum<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> ElementOperator {
    compiled(.sum, type) { $0 &+ $1 }
  }

  /// The sum. What rounding does to it depends on the number of ranks and the length of the array.
  package static func sum<T: BinaryFloatingPoint & BitwiseCopyable>(_ type: T.Type) -> ElementOperator {
    compiled(.sum, type) { $0 + $1 }
  }

  /// The product. Integers wrap around where it does not fit, as they do in MPI.
  package static func product<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> ElementOperator {
    compiled(.product, type) { $0 &* $1 }
  }

  /// The product. What rounding does to it depends on the number of ranks and the length of the array.
  package static func product<T: BinaryFloatingPoint & BitwiseCopyable>(_ type: T.Type) -> ElementOperator {
    compiled(.product, type) { $0 * $1 }
  }

  /// The smaller of two elements, the left one if neither is. Where there are NaNs, the result is one of the
  /// elements.
  package static func min<T: Comparable & BitwiseCopyable>(_ type: T.Type) -> ElementOperator {
    compiled(.min, type) { $1 < $0 ? $1 : $0 }
  }

  /// The larger of two elements, the left one if neither is. Where there are NaNs, the result is one of the
  /// elements.
  package static func max<T: Comparable & BitwiseCopyable>(_ type: T.Type) -> ElementOperator {
    compiled(.max, type) { $1 > $0 ? $1 : $0 }
  }

  /// The bits that are set in both elements.
  package static func bitwiseAnd<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> ElementOperator {
    compiled(.bitwiseAnd, type) { $0 & $1 }
  }

  /// The bits that are set in one element or in both.
  package static func bitwiseOr<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> ElementOperator {
    compiled(.bitwiseOr, type) { $0 | $1 }
  }

  /// The bits that are set in one element and not in the other.
  package static func bitwiseXor<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> ElementOperator {
    compiled(.bitwiseXor, type) { $0 ^ $1 }
  }

  /// 1 if neither element is 0, else 0.
  package static func logicalAnd<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> ElementOperator {
    compiled(.logicalAnd, type) { truth($0) & truth($1) }
  }

  /// 0 if both elements are 0, else 1.
  package static func logicalOr<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> ElementOperator {
    compiled(.logicalOr, type) { truth($0) | truth($1) }
  }

  /// 1 if one element is 0 and the other is not, else 0.
  package static func logicalXor<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> ElementOperator {
    compiled(.logicalXor, type) { truth($0) ^ truth($1) }
  }

  /// The operator with the type's own loop if there is one, else with a loop that calls `combine`.
  private static func compiled<T: BitwiseCopyable>(
    _ operation: StandardOperation, _ type: T.Type, _ combine: @escaping (T, T) -> T
  ) -> ElementOperator {
    guard let element = compiledElement(type), let compiled = element.loop(for: operation) else {
      return ElementOperator(type, isCommutative: true, combine)
    }
    return ElementOperator(
      stride: MemoryLayout<T>.stride, isCommutative: true, native: element.native(operation),
      combine: compiled)
  }
}

/// Without a branch: so that several elements can be done at a time.
@inline(__always)
private func truth<T: FixedWidthInteger>(_ number: T) -> T { number == 0 ? 0 : 1 }

/// A type for which the loops of the standard operations are compiled.
protocol CompiledElement: BitwiseCopyable {
  /// Nil if the type has no such operation.
  static func loop(for operation: StandardOperation) -> ElementOperator.Combine?
  /// Nil if MPI has no such type.
  static func native(_ operation: StandardOperation) -> MPIReduction?
}

extension CompiledElement {
  static func native(_ operation: StandardOperation) -> MPIReduction? { nil }
}

extension CompiledElement where Self: MPINumber {
  static func native(_ operation: StandardOperation) -> MPIReduction? { MPIReduction(operation, Self.self) }
}

extension CompiledElement where Self: FixedWidthInteger {
  static func loop(for operation: StandardOperation) -> ElementOperator.Combine? {
    switch operation {
    case .sum: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in a &+ b } }
    case .product: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in a &* b } }
    case .min: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in b < a ? b : a } }
    case .max: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in b > a ? b : a } }
    case .bitwiseAnd: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in a & b } }
    case .bitwiseOr: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in a | b } }
    case .bitwiseXor: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in a ^ b } }
    case .logicalAnd: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in truth(a) & truth(b) } }
    case .logicalOr: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in truth(a) | truth(b) } }
    case .logicalXor: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in truth(a) ^ truth(b) } }
    }
  }
}

extension CompiledElement where Self: BinaryFloatingPoint {
  static func loop(for operation: StandardOperation) -> ElementOperator.Combine? {
    switch operation {
    case .sum: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in a + b } }
    case .product: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in a * b } }
    case .min: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in b < a ? b : a } }
    case .max: { elementwise($0, $1, $2, $3) { (a: Self, b: Self) in b > a ? b : a } }
    default: nil
    }
  }
}

extension Int: CompiledElement {}
extension Int8: CompiledElement {}
extension Int16: CompiledElement {}
extension Int32: CompiledElement {}
extension Int64: CompiledElement {}
extension Int128: CompiledElement {}
extension UInt: CompiledElement {}
extension UInt8: CompiledElement {}
extension UInt16: CompiledElement {}
extension UInt32: CompiledElement {}
extension UInt64: CompiledElement {}
extension UInt128: CompiledElement {}
extension Float: CompiledElement {}
extension Double: CompiledElement {}
#if !(os(macOS) && arch(x86_64))
  extension Float16: CompiledElement {}
#endif

/// Some comparisons of addresses, where asking the runtime for the conformance would take longer than a small message.
private func compiledElement(_ type: Any.Type) -> (any CompiledElement.Type)? {
  if type == Double.self { return Double.self }
  if type == Float.self { return Float.self }
  if type == Int.self { return Int.self }
  if type == Int8.self { return Int8.self }
  if type == Int16.self { return Int16.self }
  if type == Int32.self { return Int32.self }
  if type == Int64.self { return Int64.self }
  if type == Int128.self { return Int128.self }
  if type == UInt.self { return UInt.self }
  if type == UInt8.self { return UInt8.self }
  if type == UInt16.self { return UInt16.self }
  if type == UInt32.self { return UInt32.self }
  if type == UInt64.self { return UInt64.self }
  if type == UInt128.self { return UInt128.self }
  #if !(os(macOS) && arch(x86_64))
    if type == Float16.self { return Float16.self }
  #endif
  return nil
}

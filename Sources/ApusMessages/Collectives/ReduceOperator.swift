import ApusWire

/// How the values of several ranks become one: an associative operation.
///
/// Operands are combined in rank order, so an operation need not be commutative.
///
/// ```swift
/// let longest = try world.allReduce(name, ReduceOperator { $0.count >= $1.count ? $0 : $1 })
/// ```
public struct ReduceOperator<Value: Codable>: Sendable {
  /// Whether operands may change places, which can save a message.
  public let isCommutative: Bool
  let combine: @Sendable (Value, Value) throws -> Value
  /// The same on arrays of plain values, a block at a time.
  let onElements: (@Sendable () -> ElementOperator)?

  /// Which standard operation it is, as ranks compare it; nil if it is none, or of a type that MPI does not know.
  @inline(__always)
  var standardNumber: Int? {
    // Nobody asks in release builds.
    #if DEBUG
      onElements?().native.map { Int($0.operation) }
    #else
      nil
    #endif
  }

  /// An operation of your own: `combine` gets the value of lower ranks first.
  public init(
    isCommutative: Bool = false,
    _ combine: @escaping @Sendable (_ lower: Value, _ higher: Value) throws -> Value
  ) {
    (self.isCommutative, self.combine, onElements) = (isCommutative, combine, nil)
  }

  @usableFromInline
  init(
    isCommutative: Bool, stride: Int, _ combine: @escaping @Sendable (Value, Value) throws -> Value,
    onMemory:
      @escaping @Sendable (
        UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, _ count: Int
      ) throws -> Void
  ) {
    (self.isCommutative, self.combine) = (isCommutative, combine)
    onElements = { ElementOperator(stride: stride, isCommutative: isCommutative, combine: onMemory) }
  }

  private init(
    _ onElements: @escaping @Sendable () -> ElementOperator,
    _ combine: @escaping @Sendable (Value, Value) throws -> Value
  ) {
    (isCommutative, self.combine, self.onElements) = (true, combine, onElements)
  }
}

extension ReduceOperator where Value: RawCodable {
  /// An operation of your own on plain values: `combine` gets the value of lower ranks first.
  ///
  /// The loop over the elements of arrays is compiled into the program that makes the operator, for its type and
  /// `combine`.
  @inlinable
  public init(
    isCommutative: Bool = false,
    _ combine: @escaping @Sendable (_ lower: Value, _ higher: Value) throws -> Value
  ) {
    self.init(isCommutative: isCommutative, stride: MemoryLayout<Value>.stride, combine) {
      try elementwise($0, $1, $2, $3, combine)
    }
  }
}

extension ReduceOperator where Value: FixedWidthInteger & RawCodable {
  /// The sum. It wraps round on overflow, as MPI's does.
  public static var sum: Self { Self({ .sum(Value.self) }) { $0 &+ $1 } }
  /// The product. It wraps round on overflow, as MPI's does.
  public static var product: Self { Self({ .product(Value.self) }) { $0 &* $1 } }
  /// The bits that all have.
  public static var bitwiseAnd: Self { Self({ .bitwiseAnd(Value.self) }) { $0 & $1 } }
  /// The bits that any has.
  public static var bitwiseOr: Self { Self({ .bitwiseOr(Value.self) }) { $0 | $1 } }
  /// The bits that an odd number has.
  public static var bitwiseXor: Self { Self({ .bitwiseXor(Value.self) }) { $0 ^ $1 } }
}

extension ReduceOperator where Value: BinaryFloatingPoint & RawCodable {
  /// The sum. All ranks get the same bits; another number of ranks may give others.
  public static var sum: Self { Self({ .sum(Value.self) }) { $0 + $1 } }
  /// The product. All ranks get the same bits; another number of ranks may give others.
  public static var product: Self { Self({ .product(Value.self) }) { $0 * $1 } }
}

extension ReduceOperator where Value: Comparable & RawCodable {
  /// The least.
  public static var min: Self { Self({ .min(Value.self) }) { Swift.min($0, $1) } }
  /// The greatest.
  public static var max: Self { Self({ .max(Value.self) }) { Swift.max($0, $1) } }
}

extension ReduceOperator where Value: Comparable & SendableMetatype {
  /// The lesser one; of equals that of the lowest rank.
  @_disfavoredOverload
  public static var min: Self { Self { $1 < $0 ? $1 : $0 } }
  /// The greater one; of equals that of the lowest rank.
  @_disfavoredOverload
  public static var max: Self { Self { $1 > $0 ? $1 : $0 } }
}

extension ReduceOperator where Value == Bool {
  /// Whether all are true.
  public static var and: Self { Self(isCommutative: true) { $0 && $1 } }
  /// Whether any is true.
  public static var or: Self { Self(isCommutative: true) { $0 || $1 } }
  /// Whether an odd number is true.
  public static var xor: Self { Self(isCommutative: true) { $0 != $1 } }
}

extension ReduceOperator where Value: RawCodable {
  /// The operation on the memory of such values.
  var elementOperator: ElementOperator {
    onElements?() ?? ElementOperator(Value.self, isCommutative: isCommutative, combine)
  }
}

extension ReduceOperator {
  /// The operation on encoded values.
  var valueOperator: ValueOperator {
    let codec = ValueCodec<Value>()
    return ValueOperator(isCommutative: isCommutative) { left, right, result in
      try codec.encode(combine(codec.decode(left), codec.decode(right)), into: result)
    }
  }

  /// The operation on encoded arrays, element by element.
  var arrayOperator: ValueOperator {
    let codec = ValueCodec<[Value]>()
    return ValueOperator(isCommutative: isCommutative) { left, right, result in
      try codec.encode(combineElements(codec.decode(left), codec.decode(right)), into: result)
    }
  }

  /// - Throws: `MessageError` (`invalidArgument`) if they are not as many.
  func combineElements(_ left: [Value], _ right: [Value]) throws -> [Value] {
    guard left.count == right.count else {
      throw MessageError(
        .invalidArgument,
        "ranks reduce arrays of \(left.count) and of \(right.count) elements: give all as many")
    }
    return try zip(left, right).map(combine)
  }
}

import ApusMessages
public import CApusPython

/// Combines memory of all ranks element by element: as many elements on all. `result` has as many bytes, or for a reduction to a
/// root alone is null on the others; a scan has its elements in `result`.
@c(apus_py_reduction)
public func reduction(
  _ ranks: UnsafeMutableRawPointer, _ which: Int32, _ elements: UnsafeRawPointer?,
  _ result: UnsafeMutableRawPointer?, _ count: UInt64, _ shape: Int64, _ element: Int32, _ operation: Int32,
  _ root: Int64,
  _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    let ranks = communicator(ranks)
    try ReductionSignature(which, element, operation, root: root, count: count, shape: shape).agree(ranks)
    let combine = try elementOperator(element, operation)
    let elements = UnsafeRawBufferPointer(start: elements, count: Int(count))
    let result = UnsafeMutableRawBufferPointer(start: result, count: result == nil ? 0 : Int(count))
    switch UInt32(which) {
    case APUS_PY_ALL_REDUCE.rawValue: try ranks.allReduce(memory: elements, into: result, combine)
    case APUS_PY_REDUCE.rawValue: try ranks.reduce(memory: elements, into: result, combine, to: Int(root))
    case APUS_PY_SCAN.rawValue: try ranks.scan(memory: result, combine, isExclusive: false)
    default: try ranks.scan(memory: result, combine, isExclusive: true)
    }
  }
}

/// Combines memory of all ranks and gives each its block.
///
/// - Parameter lengths: The bytes of each rank's block.
@c(apus_py_reduce_scatter)
public func reduceScatter(
  _ ranks: UnsafeMutableRawPointer, _ elements: UnsafeRawPointer?, _ lengths: UnsafePointer<Int64>,
  _ result: UnsafeMutableRawPointer?, _ shape: Int64, _ element: Int32, _ operation: Int32,
  _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    let ranks = communicator(ranks)
    let lengths = UnsafeBufferPointer(start: lengths, count: ranks.size).map { Int($0) }
    let count = UInt64(lengths.reduce(0, +))
    try ReductionSignature(
      Int32(APUS_PY_REDUCE_SCATTER.rawValue), element, operation, root: 0, count: count, shape: shape
    )
    .agree(ranks)
    try ranks.reduceScatter(
      memory: UnsafeRawBufferPointer(start: elements, count: lengths.reduce(0, +)), lengths: lengths,
      into: UnsafeMutableRawBufferPointer(start: result, count: lengths[ranks.rank]),
      try elementOperator(element, operation))
  }
}

/// Before objects are reduced, which Python does by other operations: throws, on all ranks, if one reduces something else.
///
/// - Parameter operation: -1 for a function of the program's.
@c(apus_py_agree_on_objects)
public func agreeOnObjects(
  _ ranks: UnsafeMutableRawPointer, _ which: Int32, _ shape: Int64, _ operation: Int32, _ root: Int64,
  _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    let signature = ReductionSignature(
      which, ReductionSignature.objects, operation, root: root, count: 0, shape: shape)
    try signature.agree(communicator(ranks))
  }
}

/// What a rank asks for. Python's callers have no compiler that would see to it that all ranks ask for the same.
private struct ReductionSignature: BitwiseCopyable, Equatable {
  /// In place of a type of elements.
  static let objects: Int32 = -1

  private let which: Int32
  private let element: Int32
  private let operation: Int32
  private let root: Int32
  private let count: UInt64
  /// A number that tells shapes apart, and types of elements that the library does not combine.
  private let shape: Int64

  init(_ which: Int32, _ element: Int32, _ operation: Int32, root: Int64, count: UInt64, shape: Int64) {
    (self.which, self.element, self.operation) = (which, element, operation)
    (self.root, self.count, self.shape) = (Int32(truncatingIfNeeded: root), count, shape)
  }

  /// Throws, on all ranks, if one asks for something else.
  func agree(_ ranks: Communicator) throws {
    if ranks.size == 1 { return }
    try withUnsafeTemporaryAllocation(of: Self.self, capacity: ranks.size) { all in
      all.initialize(repeating: self)
      try ranks.allGather(memory: UnsafeMutableRawBufferPointer(all))
      guard let other = all.indices.first(where: { all[$0] != self }) else { return }
      let others = all[other].words == words ? "the same with another type or shape" : all[other].words
      throw MessageError(
        .invalidArgument,
        "rank \(ranks.rank) calls \(words), and rank \(other) \(others): all ranks must give arrays of "
          + "the same type and shape, with the same operator; or all of them other objects", rank: other)
    }
  }

  private var words: String {
    let elements = [
      "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
    ]
    let operations = [
      "SUM", "PRODUCT", "MIN", "MAX", "LOGICAL_AND", "LOGICAL_OR", "LOGICAL_XOR", "BITWISE_AND", "BITWISE_OR",
      "BITWISE_XOR",
    ]
    // Of another rank: they may be anything.
    func name(_ number: Int32, of names: [String]) -> String {
      names.indices.contains(Int(number)) ? names[Int(number)] : "something"
    }
    let kinds = ["allreduce", "reduce", "scan", "exscan", "reduce_scatter"]
    let kind =
      name(which, of: kinds)
      + (UInt32(bitPattern: which) == APUS_PY_REDUCE.rawValue ? " to rank \(root)" : "")
    let function = operation < 0 ? "a function" : name(operation, of: operations)
    if element == Self.objects { return "\(kind) with objects and \(function)" }
    return "\(kind) with \(count) bytes of \(name(element, of: elements)) and \(function)"
  }
}

private func elementOperator(_ element: Int32, _ operation: Int32) throws -> ElementOperator {
  let found =
    switch UInt32(element) {
    // One byte, 0 or 1, which the logical operations leave.
    case APUS_PY_BOOL.rawValue, APUS_PY_UINT8.rawValue: ofIntegers(UInt8.self, operation)
    case APUS_PY_INT8.rawValue: ofIntegers(Int8.self, operation)
    case APUS_PY_INT16.rawValue: ofIntegers(Int16.self, operation)
    case APUS_PY_INT32.rawValue: ofIntegers(Int32.self, operation)
    case APUS_PY_INT64.rawValue: ofIntegers(Int64.self, operation)
    case APUS_PY_UINT16.rawValue: ofIntegers(UInt16.self, operation)
    case APUS_PY_UINT32.rawValue: ofIntegers(UInt32.self, operation)
    case APUS_PY_UINT64.rawValue: ofIntegers(UInt64.self, operation)
    case APUS_PY_FLOAT32.rawValue: ofFloats(Float.self, operation)
    default: ofFloats(Double.self, operation)
    }
  guard let found else { throw invalid("these elements have no such operation") }
  return found
}

private func ofIntegers<T: FixedWidthInteger & BitwiseCopyable>(
  _ type: T.Type, _ operation: Int32
) -> ElementOperator? {
  switch UInt32(operation) {
  case APUS_PY_SUM.rawValue: .sum(type)
  case APUS_PY_PRODUCT.rawValue: .product(type)
  case APUS_PY_MIN.rawValue: .min(type)
  case APUS_PY_MAX.rawValue: .max(type)
  case APUS_PY_LOGICAL_AND.rawValue: .logicalAnd(type)
  case APUS_PY_LOGICAL_OR.rawValue: .logicalOr(type)
  case APUS_PY_LOGICAL_XOR.rawValue: .logicalXor(type)
  case APUS_PY_BITWISE_AND.rawValue: .bitwiseAnd(type)
  case APUS_PY_BITWISE_OR.rawValue: .bitwiseOr(type)
  case APUS_PY_BITWISE_XOR.rawValue: .bitwiseXor(type)
  default: nil
  }
}

private func ofFloats<T: BinaryFloatingPoint & BitwiseCopyable>(
  _ type: T.Type, _ operation: Int32
) -> ElementOperator? {
  switch UInt32(operation) {
  case APUS_PY_SUM.rawValue: .sum(type)
  case APUS_PY_PRODUCT.rawValue: .product(type)
  case APUS_PY_MIN.rawValue: .min(type)
  case APUS_PY_MAX.rawValue: .max(type)
  default: nil
  }
}

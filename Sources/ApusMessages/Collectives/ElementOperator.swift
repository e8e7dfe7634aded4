/// How two arrays of elements of one fixed size are combined, element by element. It must be associative.
///
/// Elements are combined in rank order: the left operand comes from lower ranks than the right one. An
/// operation may cut arrays anywhere between elements, and combine their parts on different ranks.
package struct ElementOperator {
  /// Combines `count` elements each. `result` may be the same memory as `left` or as `right`; otherwise nothing
  /// overlaps. `count` is 1 or more.
  package typealias Combine = (
    _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _ count: Int
  ) throws -> Void

  /// The bytes from one element to the next.
  package let stride: Int
  /// Whether operands may be combined in another order than that of their ranks, which saves a reduction to
  /// another root than rank 0 a message.
  package let isCommutative: Bool
  package let combine: Combine
  /// The same as MPI knows it, if it does.
  let native: MPIReduction?

  package init(stride: Int, isCommutative: Bool, combine: @escaping Combine) {
    self.init(stride: stride, isCommutative: isCommutative, native: nil, combine: combine)
  }

  init(stride: Int, isCommutative: Bool, native: MPIReduction?, combine: @escaping Combine) {
    (self.stride, self.isCommutative, self.native, self.combine) = (stride, isCommutative, native, combine)
  }

  /// An operator of the type's own. Called from another module it is not specialised, and takes some 20 ns an
  /// element; a closure that calls `elementwise` itself is.
  package init<T: BitwiseCopyable>(
    _ type: T.Type, isCommutative: Bool, _ combine: @escaping (_ left: T, _ right: T) throws -> T
  ) {
    self.init(stride: MemoryLayout<T>.stride, isCommutative: isCommutative) { left, right, result, count in
      try elementwise(left, right, result, count, combine)
    }
  }

  func combine(
    _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer,
    into result: UnsafeMutableRawBufferPointer
  ) throws {
    assert(left.count == right.count && left.count == result.count && left.count % stride == 0)
    guard let left = left.baseAddress, let right = right.baseAddress, result.count > 0 else { return }
    try combine(left, right, result.baseAddress!, result.count / stride)
  }
}

/// Combines typed elements. The loops differ in what they name only: told that an operand and the result are
/// the same memory, the compiler can combine several elements at a time, and it would not dare to otherwise.
///
/// Sound: `Combine` promises `count` elements behind each pointer, which are of a type without invariants that
/// a copy could break; binding memory to the type that it already has changes nothing.
@inlinable @inline(__always)
package func elementwise<T: BitwiseCopyable, E: Error>(
  _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, _ count: Int,
  _ combine: (T, T) throws(E) -> T
) throws(E) {
  let out = result.bindMemory(to: T.self, capacity: count)
  if UnsafeRawPointer(result) == left {
    let right = right.bindMemory(to: T.self, capacity: count)
    for index in 0..<count { out[index] = try combine(out[index], right[index]) }
  } else if UnsafeRawPointer(result) == right {
    let left = left.bindMemory(to: T.self, capacity: count)
    for index in 0..<count { out[index] = try combine(left[index], out[index]) }
  } else {
    let left = left.bindMemory(to: T.self, capacity: count)
    let right = right.bindMemory(to: T.self, capacity: count)
    for index in 0..<count { out[index] = try combine(left[index], right[index]) }
  }
}

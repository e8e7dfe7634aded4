import ApusWire

/// How two values that are bytes of any length, such as encoded ones, are combined. It must be associative.
///
/// Values are combined in rank order: the left operand comes from lower ranks than the right one.
package struct ValueOperator {
  /// Appends the combination to `result`, which neither operand lies in. The bytes may come from elsewhere and
  /// are not to be trusted.
  ///
  /// Equal operands must give equal bytes on all ranks where all ranks are to get the same.
  package typealias Combine = (
    _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer, _ result: ByteBuffer
  ) throws -> Void

  /// Whether operands may be combined in another order than that of their ranks, which saves a reduction to
  /// another root than rank 0 a message.
  package let isCommutative: Bool
  package let combine: Combine

  package init(isCommutative: Bool, combine: @escaping Combine) {
    (self.isCommutative, self.combine) = (isCommutative, combine)
  }
}

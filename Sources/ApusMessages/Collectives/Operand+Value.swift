import ApusWire

/// A value of any length in a reduction.
struct ValueOperand: Operand {
  let operation: ValueOperator
  // Three buffers take turns, so that after the first rounds none of them has to grow.
  private var value = ByteBuffer()
  private var incoming = ByteBuffer()
  private var spare = ByteBuffer()

  init(_ value: UnsafeRawBufferPointer, _ operation: ValueOperator) {
    self.operation = operation
    self.value.append(contentsOf: value)
  }

  var current: UnsafeRawBufferPointer { value.bytes }
  var isCommutative: Bool { operation.isCommutative }

  mutating func receive(from source: Int, over ranks: some PointToPoint, tag: Int32) throws {
    incoming.removeAll(keepingCapacity: true)
    try ranks.receive(appendingTo: incoming, from: source, tag: tag)
  }

  mutating func exchange(
    to destination: Int, from source: Int, over ranks: some PointToPoint, tag: Int32
  ) throws {
    incoming.removeAll(keepingCapacity: true)
    try ranks.exchange(value.bytes, to: destination, appendingTo: incoming, from: source, tag: tag)
  }

  mutating func combine(incomingIsLeft: Bool) throws {
    spare.removeAll(keepingCapacity: true)
    let (left, right) = incomingIsLeft ? (incoming, value) : (value, incoming)
    try operation.combine(left.bytes, right.bytes, spare)
    // Also keeps both operands alive while they are read.
    swap(&value, &spare)
  }

  mutating func adopt() { swap(&value, &incoming) }

  mutating func replace(from source: Int, over ranks: some PointToPoint, tag: Int32) throws {
    value.removeAll(keepingCapacity: true)
    try ranks.receive(appendingTo: value, from: source, tag: tag)
  }
}

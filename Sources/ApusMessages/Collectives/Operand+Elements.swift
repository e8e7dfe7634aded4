/// An array of elements in a reduction.
struct ElementOperand: Operand {
  let operation: ElementOperator
  /// Where the caller's elements are until something has been combined with them, and `storage` after that: so
  /// those who combine nothing copy nothing.
  private(set) var current: UnsafeRawBufferPointer
  private let storage: UnsafeMutableRawBufferPointer
  private let incoming: UnsafeMutableRawBufferPointer

  /// - Parameters:
  ///   - storage: Where the result is to be; may be the memory of `elements`.
  ///   - incoming: Memory of the same size for what comes in.
  ///
  /// All three are the caller's, and outlive the operand.
  init(
    _ elements: UnsafeRawBufferPointer, _ operation: ElementOperator, storage: UnsafeMutableRawBufferPointer,
    incoming: UnsafeMutableRawBufferPointer
  ) {
    (current, self.operation, self.storage, self.incoming) = (elements, operation, storage, incoming)
  }

  var isCommutative: Bool { operation.isCommutative }

  mutating func receive(from source: Int, over ranks: some PointToPoint, tag: Int32) throws {
    try ranks.receive(into: incoming, from: source, tag: tag)
  }

  mutating func exchange(
    to destination: Int, from source: Int, over ranks: some PointToPoint, tag: Int32
  ) throws {
    try ranks.exchange(current, to: destination, into: incoming, from: source, tag: tag)
  }

  mutating func combine(incomingIsLeft: Bool) throws {
    let (left, right) = incomingIsLeft ? (incoming.readable, current) : (current, incoming.readable)
    try operation.combine(left, right, into: storage)
    current = storage.readable
  }

  mutating func adopt() {
    storage.fill(from: incoming.readable)
    current = storage.readable
  }

  mutating func replace(from source: Int, over ranks: some PointToPoint, tag: Int32) throws {
    try ranks.receive(into: storage, from: source, tag: tag)
    current = storage.readable
  }

  /// Puts what this rank has into the storage, if it isn't there.
  func finish() { storage.fill(from: current) }
}

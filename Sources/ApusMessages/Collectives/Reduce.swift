import ApusWire

extension PointToPoint {
  /// Combines the elements of all ranks, in rank order, into the root's `result`.
  ///
  /// - Parameters:
  ///   - elements: As many on all ranks. Aligned as their type asks, as is `result`.
  ///   - result: Room for as many elements, which may be the memory of `elements`. Looked at by the root only.
  ///   - algorithm: For tests; all ranks must name the same.
  package func reduce(
    _ elements: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator, to root: Int, tag: Int32, by algorithm: ReduceAlgorithm? = nil
  ) throws {
    try check(root: root)
    try check(length: elements.count, stride: operation.stride)
    if rank == root { try check(length: result.count, expected: elements.count, "the result") }
    switch algorithm ?? CollectiveChoice.reduce(length: elements.count, ranks: size) {
    case .binomial: try reduceByTree(elements, into: result, operation, to: root, tag: tag)
    case .reduceScatterGather: try reduceByScatter(elements, into: result, operation, to: root, tag: tag)
    }
  }

  /// Combines the values of all ranks, in rank order, and appends the result to the root's `result`.
  ///
  /// - Parameter result: Looked at by the root only.
  package func reduce(
    valueIn bytes: UnsafeRawBufferPointer, appendingTo result: ByteBuffer, _ operation: ValueOperator,
    to root: Int, tag: Int32
  ) throws {
    try check(root: root)
    var operand = ValueOperand(bytes, operation)
    try reduceByTree(&operand, to: root, tag: tag)
    if rank == root { result.append(contentsOf: operand.current) }
    withExtendedLifetime(operand) {}
  }

  private func reduceByTree(
    _ elements: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator, to root: Int, tag: Int32
  ) throws {
    let length = elements.count
    let hasResult = rank == root
    // Those who have nobody below them send their elements from where they are.
    let top = operation.isCommutative ? root : 0
    let combines = !BinomialTree(root: top, rank: rank, size: size).isLeaf
    try withUnsafeTemporaryAllocation(
      byteCount: combines ? (hasResult ? length : 2 * length) : 0, alignment: scratchAlignment
    ) { scratch in
      let incoming = combines ? scratch.part(0..<length) : scratch
      let storage = hasResult ? result : combines ? scratch.part(length..<2 * length) : scratch
      var operand = ElementOperand(elements, operation, storage: storage, incoming: incoming)
      try reduceByTree(&operand, to: root, tag: tag)
      if hasResult { operand.finish() }
    }
  }

  /// ⌈log₂ n⌉ rounds up a binomial tree. Its subtrees are runs of ranks from its top on; with an operator that
  /// does not commute the top must thus be rank 0, which sends the result on.
  private func reduceByTree(_ operand: inout some Operand, to root: Int, tag: Int32) throws {
    let top = operand.isCommutative ? root : 0
    let tree = BinomialTree(root: top, rank: rank, size: size)
    try tree.forEachChild { child in
      try operand.receive(from: tree.ranks.absolute(child), over: self, tag: tag)
      try operand.combine(incomingIsLeft: false)
    }
    if let parent = tree.parent { try send(operand.current, to: parent, tag: tag) }
    if top != root {
      if rank == top { try send(operand.current, to: root, tag: tag) }
      if rank == root { try operand.replace(from: top, over: self, tag: tag) }
    }
  }

  /// Each rank reduces a part, and the root collects the parts: Rabenseifner (2004).
  private func reduceByScatter(
    _ elements: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator, to root: Int, tag: Int32
  ) throws {
    let layout = BlockLayout(splitting: elements.count, unit: operation.stride, into: size)
    try withUnsafeTemporaryAllocation(byteCount: layout.length(rank), alignment: scratchAlignment) { part in
      try reduceScatter(elements, layout, into: part, operation, tag: tag)
      try gatherDirectly(part.readable, into: result, layout, to: root, tag: tag)
    }
  }
}

/// Enough for any element type, vectors too.
let scratchAlignment = 64

/// Memory for elements of any type. Little of it is on the stack, where the standard library gives none that is aligned
/// further than `malloc` aligns: with its own a small reduction would spend half its time in `posix_memalign`.
@inline(__always)
func withScratch<R>(byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
  if byteCount > 512 {
    return try withUnsafeTemporaryAllocation(
      byteCount: byteCount, alignment: scratchAlignment, body)
  }
  return try withUnsafeTemporaryAllocation(byteCount: byteCount + scratchAlignment, alignment: 16) { room in
    let start = room.baseAddress!.alignedUp(toMultipleOf: scratchAlignment)
    return try body(UnsafeMutableRawBufferPointer(start: start, count: byteCount))
  }
}

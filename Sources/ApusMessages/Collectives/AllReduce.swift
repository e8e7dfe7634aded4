package import ApusCore

extension PointToPoint {
  /// Combines the elements of all ranks, in rank order, on every rank. All ranks get the same bits.
  ///
  /// - Parameters:
  ///   - elements: As many on all ranks, aligned as their type asks; the result comes in their place.
  ///   - algorithm: For tests; all ranks must name the same.
  package func allReduce(
    _ elements: UnsafeMutableRawBufferPointer, _ operation: ElementOperator, tag: Int32,
    by algorithm: AllReduceAlgorithm? = nil
  ) throws {
    try check(length: elements.count, stride: operation.stride)
    guard size > 1 else { return }
    switch algorithm ?? CollectiveChoice.allReduce(length: elements.count, ranks: size) {
    case .recursiveDoubling:
      try withUnsafeTemporaryAllocation(byteCount: elements.count, alignment: scratchAlignment) { incoming in
        var operand = ElementOperand(elements.readable, operation, storage: elements, incoming: incoming)
        try allReduceByDoubling(&operand, tag: tag)
      }
    case .reduceScatterAllGather: try allReduceByScatter(elements, operation, tag: tag)
    }
  }

  /// Combines the values of all ranks, in rank order, and appends the result to `result` on every rank.
  package func allReduce(
    valueIn bytes: UnsafeRawBufferPointer, appendingTo result: ByteBuffer, _ operation: ValueOperator,
    tag: Int32
  ) throws {
    var operand = ValueOperand(bytes, operation)
    try allReduceByDoubling(&operand, tag: tag)
    result.append(contentsOf: operand.current)
    withExtendedLifetime(operand) {}
  }

  /// log₂ n rounds, in which two runs of ranks exchange what they have and both combine it; one more before and
  /// one after for the ranks beyond a power of two. Thakur, Rabenseifner and Gropp (2005) compare it with the
  /// others.
  ///
  /// Both sides combine the same operands in the same order, so they get the same bits.
  private func allReduceByDoubling(_ operand: inout some Operand, tag: Int32) throws {
    let groups = PowerOfTwoGroups(size: size)
    let group = groups.group(of: rank)
    let members = groups.ranks(of: group)
    let actor = groups.actor(for: group)
    guard rank == actor else {
      try send(operand.current, to: actor, tag: tag)
      return try operand.replace(from: actor, over: self, tag: tag)
    }
    if members.count == 2 {
      try operand.receive(from: members.lowerBound, over: self, tag: tag)
      try operand.combine(incomingIsLeft: true)
    }
    var distance = 1
    while distance < groups.count {
      let partner = groups.actor(for: group ^ distance)
      try operand.exchange(to: partner, from: partner, over: self, tag: tag)
      try operand.combine(incomingIsLeft: partner < rank)
      distance *= 2
    }
    if members.count == 2 { try send(operand.current, to: members.lowerBound, tag: tag) }
  }

  /// Each rank reduces a part, and all collect the parts: Rabenseifner (2004). Each element is combined on one
  /// rank alone, so all get the same bits.
  private func allReduceByScatter(
    _ elements: UnsafeMutableRawBufferPointer, _ operation: ElementOperator, tag: Int32
  ) throws {
    let layout = BlockLayout(splitting: elements.count, unit: operation.stride, into: size)
    let part = elements.part(layout.range(rank))
    try reduceScatter(elements.readable, layout, into: part, operation, tag: tag)
    try allGather(elements, layout, tag: tag)
  }
}

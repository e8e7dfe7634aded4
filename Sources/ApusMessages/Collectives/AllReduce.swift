import ApusWire

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
    try allReduce(elements.readable, into: elements, operation, tag: tag, by: algorithm)
  }

  /// The same with the result in other memory: large arrays are not copied first.
  ///
  /// - Parameter result: As long as `elements`; other memory, or the same.
  func allReduce(
    _ elements: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator, tag: Int32, by algorithm: AllReduceAlgorithm? = nil
  ) throws {
    try check(length: elements.count, stride: operation.stride)
    guard size > 1 else { return result.fill(from: elements) }
    switch algorithm ?? CollectiveChoice.allReduce(length: elements.count, ranks: size) {
    case .direct: try allReduceDirectly(elements, into: result, operation, tag: tag)
    case .recursiveDoubling:
      try withScratch(byteCount: elements.count) { incoming in
        var operand = ElementOperand(elements, operation, storage: result, incoming: incoming)
        try allReduceByDoubling(&operand, tag: tag)
        operand.finish()
      }
    case .reduceScatterAllGather: try allReduceByScatter(elements, into: result, operation, tag: tag)
    }
  }

  /// One round: every rank tells all others what it has, and combines all of it from rank 0 on, so all get the same
  /// bits.
  private func allReduceDirectly(
    _ elements: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator, tag: Int32
  ) throws {
    let length = elements.count
    try withScratch(byteCount: 2 * length) { scratch in
      let (combined, incoming) = (scratch.part(0..<length), scratch.part(length..<2 * length))
      var left = elements
      try whileSendingToAll({ _ in elements }, tag: tag) {
        if rank != 0 {
          try receive(into: combined, from: 0, tag: tag)
          left = combined.readable
        }
        for source in 1..<size {
          if source != rank { try receive(into: incoming, from: source, tag: tag) }
          try operation.combine(left, source == rank ? elements : incoming.readable, into: combined)
          left = combined.readable
        }
      }
      // Not before: it may be the memory that is sent.
      result.fill(from: left)
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
    _ elements: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator, tag: Int32
  ) throws {
    let layout = BlockLayout(splitting: elements.count, unit: operation.stride, into: size)
    try reduceScatter(elements, layout, into: result.part(layout.range(rank)), operation, tag: tag)
    try allGather(result, layout, tag: tag)
  }
}

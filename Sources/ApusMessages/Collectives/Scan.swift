import ApusWire

extension PointToPoint {
  /// Combines, for each rank, the elements of all ranks up to and including it, in rank order.
  ///
  /// - Parameters:
  ///   - elements: As many on all ranks, aligned as their type asks; the result comes in their place.
  ///   - algorithm: For tests; all ranks must name the same.
  package func scan(
    _ elements: UnsafeMutableRawBufferPointer, _ operation: ElementOperator, tag: Int32,
    by algorithm: ScanAlgorithm? = nil
  ) throws {
    try scan(elements, operation, isExclusive: false, tag: tag, by: algorithm)
  }

  /// Combines, for each rank, the elements of all ranks before it, in rank order. Rank 0, which has none before
  /// it, keeps its elements.
  package func exclusiveScan(
    _ elements: UnsafeMutableRawBufferPointer, _ operation: ElementOperator, tag: Int32,
    by algorithm: ScanAlgorithm? = nil
  ) throws {
    try scan(elements, operation, isExclusive: true, tag: tag, by: algorithm)
  }

  /// Combines, for each rank, the values of all ranks up to and including it, in rank order, and appends the
  /// result.
  package func scan(
    valueIn bytes: UnsafeRawBufferPointer, appendingTo result: ByteBuffer, _ operation: ValueOperator,
    tag: Int32
  ) throws {
    var operand = ValueOperand(bytes, operation)
    try scanByDoubling(&operand, firstRank: 0, tag: tag)
    result.append(contentsOf: operand.current)
    withExtendedLifetime(operand) {}
  }

  /// Combines, for each rank, the values of all ranks before it, in rank order, and appends the result. Rank 0,
  /// which has none before it, appends nothing.
  package func exclusiveScan(
    valueIn bytes: UnsafeRawBufferPointer, appendingTo result: ByteBuffer, _ operation: ValueOperator,
    tag: Int32
  ) throws {
    var operand = ValueOperand(bytes, operation)
    try shift(&operand, tag: tag)
    guard rank > 0 else { return }
    try scanByDoubling(&operand, firstRank: 1, tag: tag)
    result.append(contentsOf: operand.current)
    withExtendedLifetime(operand) {}
  }

  private func scan(
    _ elements: UnsafeMutableRawBufferPointer, _ operation: ElementOperator, isExclusive: Bool, tag: Int32,
    by algorithm: ScanAlgorithm?
  ) throws {
    try check(length: elements.count, stride: operation.stride)
    guard size > 1 else { return }
    switch algorithm ?? CollectiveChoice.scan(length: elements.count, ranks: size) {
    case .doubling:
      try withUnsafeTemporaryAllocation(byteCount: elements.count, alignment: scratchAlignment) { incoming in
        var operand = ElementOperand(elements.readable, operation, storage: elements, incoming: incoming)
        if isExclusive { try shift(&operand, tag: tag) }
        if !isExclusive || rank > 0 {
          try scanByDoubling(&operand, firstRank: isExclusive ? 1 : 0, tag: tag)
        }
      }
    case .chain: try scanAlongChain(elements, operation, isExclusive: isExclusive, tag: tag)
    }
  }

  /// ⌈log₂ n⌉ rounds: in round k a rank puts what the rank 2ᵏ before it has before its own, and so has what
  /// comes from twice as many ranks. Hillis and Steele (1986).
  private func scanByDoubling(_ operand: inout some Operand, firstRank: Int, tag: Int32) throws {
    var distance = 1
    while distance < size - firstRank {
      let (source, destination) = (rank - distance, rank + distance)
      switch (source >= firstRank, destination < size) {
      case (true, true): try operand.exchange(to: destination, from: source, over: self, tag: tag)
      case (true, false): try operand.receive(from: source, over: self, tag: tag)
      case (false, true): try send(operand.current, to: destination, tag: tag)
      case (false, false): break
      }
      if source >= firstRank { try operand.combine(incomingIsLeft: true) }
      distance *= 2
    }
  }

  /// Gives each rank what the rank before it had: from rank 1 on an exclusive scan is a scan of that.
  private func shift(_ operand: inout some Operand, tag: Int32) throws {
    let (source, destination) = (rank - 1, rank + 1)
    switch (source >= 0, destination < size) {
    case (true, true): try operand.exchange(to: destination, from: source, over: self, tag: tag)
    case (true, false): try operand.receive(from: source, over: self, tag: tag)
    case (false, true): return try send(operand.current, to: destination, tag: tag)
    case (false, false): return
    }
    operand.adopt()
  }

  /// Each rank combines pieces as they come and passes them on: n - 1 pieces' time more than one pass over the
  /// array, where doubling makes log₂ n passes.
  private func scanAlongChain(
    _ elements: UnsafeMutableRawBufferPointer, _ operation: ElementOperator, isExclusive: Bool, tag: Int32
  ) throws {
    let (source, destination) = chainNeighbours(from: 0)
    let length = max(CollectiveChoice.pieceLength / operation.stride, 1) * operation.stride
    func piece(_ index: Int) -> UnsafeMutableRawBufferPointer {
      elements.part(index * length..<min((index + 1) * length, elements.count))
    }
    try withUnsafeTemporaryAllocation(
      byteCount: 2 * min(length, elements.count), alignment: scratchAlignment
    ) { scratch in
      let (before, through) = (
        scratch.part(0..<scratch.count / 2), scratch.part(scratch.count / 2..<scratch.count)
      )
      func slot(_ index: Int, in memory: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawBufferPointer {
        memory.part(0..<piece(index).count)
      }
      // What goes on lies in this rank's own elements, unless they are to be the result without themselves.
      let separate = isExclusive && source != nil
      try relay(
        (elements.count + length - 1) / length, from: source, to: destination, tag: tag,
        incoming: { slot($0, in: before) },
        arrived: { index in
          guard source != nil else { return }
          let own = piece(index)
          let before = slot(index, in: before).readable
          // The last rank of an exclusive scan has nobody to pass anything on to.
          if !separate || destination != nil {
            try operation.combine(before, own.readable, into: separate ? slot(index, in: through) : own)
          }
          if separate { own.fill(from: before) }
        },
        outgoing: { (separate ? slot($0, in: through) : piece($0)).readable })
    }
  }
}

extension PointToPoint {
  /// Combines the elements of all ranks, in rank order, and gives each rank its block of the result.
  ///
  /// - Parameters:
  ///   - elements: The blocks of all ranks, in rank order. Aligned as their type asks, as is `result`.
  ///   - lengths: The length of each rank's block in bytes, the same on all ranks. Nil if all have one length.
  ///   - result: Room for this rank's block; may be its block in `elements`.
  ///   - algorithm: For tests; all ranks must name the same.
  package func reduceScatter(
    _ elements: UnsafeRawBufferPointer, lengths: [Int]? = nil, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator, tag: Int32, by algorithm: ReduceScatterAlgorithm? = nil
  ) throws {
    let layout =
      if let lengths {
        try BlockLayout(lengths: lengths, count: size)
      } else {
        try BlockLayout(equal: elements.count, into: size)
      }
    for index in lengths == nil ? 0..<1 : 0..<size {
      try check(length: layout.length(index), stride: operation.stride)
    }
    try check(length: elements.count, expected: layout.total, "the blocks of all ranks")
    try check(length: result.count, expected: layout.length(rank), "this rank's block")
    try reduceScatter(elements, layout, into: result, operation, tag: tag, by: algorithm)
  }

  func reduceScatter(
    _ elements: UnsafeRawBufferPointer, _ layout: BlockLayout, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator, tag: Int32, by algorithm: ReduceScatterAlgorithm? = nil
  ) throws {
    switch algorithm ?? CollectiveChoice.reduceScatter(total: layout.total, ranks: size) {
    case .recursiveHalving:
      try reduceScatterByHalving(elements, layout, into: result, operation, tag: tag)
    case .pairwise: try reduceScatterPairwise(elements, layout, into: result, operation, tag: tag)
    }
  }

  /// n - 1 rounds, in each of which every rank gets one other rank's share of its block; few ranks begin all of them
  /// at once.
  ///
  /// Shares come from the ranks before this one, backwards, and then from the ranks behind it, backwards: each
  /// goes to the left of one of two runs, and the runs are combined in the end. So the order is kept at the
  /// price of one block.
  private func reduceScatterPairwise(
    _ elements: UnsafeRawBufferPointer, _ layout: BlockLayout, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator, tag: Int32
  ) throws {
    let (rank, size) = (rank, size)
    let length = result.count
    try withUnsafeTemporaryAllocation(byteCount: 2 * length, alignment: scratchAlignment) { scratch in
      let incoming = scratch.part(0..<length)
      let behind = scratch.part(length..<2 * length)
      var before = elements.part(layout.range(rank))
      // Combines a share that has come, or will by `receive`, into one of the runs.
      func combine(from: Int, _ receive: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
        let isFirstBehind = from == size - 1
        try receive(isFirstBehind ? behind : incoming)
        if from < rank {
          try operation.combine(incoming.readable, before, into: result)
          before = result.readable
        } else if !isFirstBehind {
          try operation.combine(incoming.readable, behind.readable, into: behind)
        }
      }
      if size < CollectiveChoice.ranksForTree {
        try whileSendingToAll({ elements.part(layout.range($0)) }, tag: tag) {
          try forEachPair { _, from in
            try combine(from: from) { try receive(into: $0, from: from, tag: tag) }
          }
        }
      } else {
        try forEachPair { to, from in
          try combine(from: from) {
            try exchange(elements.part(layout.range(to)), to: to, into: $0, from: from, tag: tag)
          }
        }
      }
      if rank < size - 1 {
        try operation.combine(before, behind.readable, into: result)
      } else {
        result.fill(from: before)
      }
    }
  }
}

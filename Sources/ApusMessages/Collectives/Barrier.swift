extension PointToPoint {
  /// Returns once every rank has called it. Few ranks tell all others; more take ⌈log₂ n⌉ rounds of an empty message.
  ///
  /// In round k a rank tells the one 2ᵏ further and hears from the one 2ᵏ before, and so, at second hand, from
  /// twice as many in each round: the dissemination barrier of Hensgen, Finkel and Manber (1988).
  ///
  /// - Parameter algorithm: For tests; all ranks must name the same.
  package func barrier(tag: Int32, by algorithm: BarrierAlgorithm? = nil) throws {
    let nothing = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    if (algorithm ?? CollectiveChoice.barrier(ranks: size)) == .direct {
      return try whileSendingToAll({ _ in nothing.readable }, tag: tag) {
        for source in 0..<size where source != rank { try receive(into: nothing, from: source, tag: tag) }
      }
    }
    var distance = 1
    while distance < size {
      try exchange(
        nothing.readable, to: (rank + distance) % size, into: nothing,
        from: (rank - distance + size) % size, tag: tag)
      distance *= 2
    }
  }
}

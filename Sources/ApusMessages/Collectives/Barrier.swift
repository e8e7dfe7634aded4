extension PointToPoint {
  /// Returns once every rank has called it: ⌈log₂ n⌉ rounds of an empty message.
  ///
  /// In round k a rank tells the one 2ᵏ further and hears from the one 2ᵏ before, and so, at second hand, from
  /// twice as many in each round: the dissemination barrier of Hensgen, Finkel and Manber (1988).
  package func barrier(tag: Int32) throws {
    var distance = 1
    while distance < size {
      try exchange(
        UnsafeRawBufferPointer(start: nil, count: 0), to: (rank + distance) % size,
        into: UnsafeMutableRawBufferPointer(start: nil, count: 0), from: (rank - distance + size) % size,
        tag: tag)
      distance *= 2
    }
  }
}

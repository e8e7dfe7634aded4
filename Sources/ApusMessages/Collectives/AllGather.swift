extension PointToPoint {
  /// Gives every rank the pieces of all ranks, in rank order. All pieces have one length.
  ///
  /// - Parameters:
  ///   - pieces: Room for all pieces, with this rank's own in its place.
  ///   - algorithm: For tests; all ranks must name the same.
  package func allGather(
    _ pieces: UnsafeMutableRawBufferPointer, tag: Int32, by algorithm: AllGatherAlgorithm? = nil
  ) throws {
    try allGather(pieces, BlockLayout(equal: pieces.count, into: size), tag: tag, by: algorithm)
  }

  /// The same with pieces of different lengths.
  ///
  /// - Parameter lengths: The length of each rank's piece in bytes, the same on all ranks.
  package func allGather(
    _ pieces: UnsafeMutableRawBufferPointer, lengths: [Int], tag: Int32,
    by algorithm: AllGatherAlgorithm? = nil
  ) throws {
    try allGather(pieces, BlockLayout(lengths: lengths, count: size), tag: tag, by: algorithm)
  }

  func allGather(
    _ pieces: UnsafeMutableRawBufferPointer, _ layout: BlockLayout, tag: Int32,
    by algorithm: AllGatherAlgorithm? = nil
  ) throws {
    try check(length: pieces.count, expected: layout.total, "the pieces of all ranks")
    guard size > 1 else { return }
    let ranks = RelativeRanks(root: 0, size: size)
    switch algorithm ?? CollectiveChoice.allGather(total: layout.total, ranks: size) {
    case .recursiveDoubling:
      guard size.isPowerOf2 else { throw CollectiveError.invalid("\(size) ranks are no power of two.") }
      try allGatherByDoubling(pieces, layout, ranks, tag: tag)
    case .bruck: try allGatherAfterBruck(pieces, layout, tag: tag)
    case .direct:
      let mine = pieces.part(layout.range(rank)).readable
      try whileSendingToAll({ _ in mine }, tag: tag) {
        try forEachPair { _, source in
          try receive(into: pieces.part(layout.range(source)), from: source, tag: tag)
        }
      }
    case .ring: try allGatherByRing(pieces, layout, ranks, tag: tag)
    }
  }

  /// n - 1 rounds, of one piece each, which each rank passes to the next one.
  ///
  /// - Parameter ranks: Block i is the piece of relative rank i.
  func allGatherByRing(
    _ pieces: UnsafeMutableRawBufferPointer, _ layout: BlockLayout, _ ranks: RelativeRanks, tag: Int32
  ) throws {
    let size = size
    let place = ranks.relative(rank)
    let (next, previous) = ((rank + 1) % size, (rank - 1 + size) % size)
    for step in 0..<size - 1 {
      let outgoing = pieces.part(layout.range((place - step + size) % size))
      let incoming = pieces.part(layout.range((place - step - 1 + size) % size))
      try exchange(outgoing.readable, to: next, into: incoming, from: previous, tag: tag)
    }
  }

  /// log₂ n rounds, for n a power of two: two runs of ranks exchange all they have, and are one run then.
  /// Thakur, Rabenseifner and Gropp (2005) compare it with the others here.
  func allGatherByDoubling(
    _ pieces: UnsafeMutableRawBufferPointer, _ layout: BlockLayout, _ ranks: RelativeRanks, tag: Int32
  ) throws {
    let place = ranks.relative(rank)
    var distance = 1
    while distance < size {
      let partner = place ^ distance
      let (ours, theirs) = (place & ~(distance - 1), partner & ~(distance - 1))
      try exchange(
        pieces.part(layout.range(ours..<ours + distance)).readable, to: ranks.absolute(partner),
        into: pieces.part(layout.range(theirs..<theirs + distance)), from: ranks.absolute(partner), tag: tag)
      distance *= 2
    }
  }

  /// ⌈log₂ n⌉ rounds for any n: a rank keeps its own piece first and those of the ranks behind it after that,
  /// and in round k gets as many as it has, from the rank 2ᵏ further. Bruck, Ho, Kipnis, Upfal and Weathersby
  /// (1997).
  private func allGatherAfterBruck(
    _ pieces: UnsafeMutableRawBufferPointer, _ layout: BlockLayout, tag: Int32
  ) throws {
    let (rank, size) = (rank, size)
    let relative = RelativeRanks(root: rank, size: size)
    // Behind this rank's own start, `index` pieces on and around.
    func end(_ index: Int) -> Int {
      let last = rank + index
      return last <= size
        ? layout.start(last) - layout.start(rank)
        : layout.total - layout.start(rank) + layout.start(last - size)
    }
    try withUnsafeTemporaryAllocation(byteCount: layout.total, alignment: 16) { rotated in
      rotated.part(0..<end(1)).fill(from: pieces.part(layout.range(rank)).readable)
      var distance = 1
      while distance < size {
        let count = min(distance, size - distance)
        try exchange(
          rotated.part(0..<end(count)).readable, to: relative.absolute(size - distance),
          into: rotated.part(end(distance)..<end(distance + count)), from: relative.absolute(distance),
          tag: tag)
        distance *= 2
      }
      let split = layout.total - layout.start(rank)
      pieces.part(layout.start(rank)..<layout.total).fill(from: rotated.part(0..<split).readable)
      pieces.part(0..<layout.start(rank)).fill(from: rotated.part(split..<layout.total).readable)
    }
  }
}

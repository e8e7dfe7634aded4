import ApusWire

extension PointToPoint {
  /// Gives each rank its piece of what the root has, in rank order. All pieces have one length, which all ranks
  /// know.
  ///
  /// - Parameters:
  ///   - pieces: Looked at by the root only.
  ///   - piece: On the root, may be the very memory of its piece in `pieces`.
  ///   - algorithm: For tests; all ranks must name the same.
  package func scatter(
    _ pieces: UnsafeRawBufferPointer, into piece: UnsafeMutableRawBufferPointer, from root: Int, tag: Int32,
    by algorithm: GatherAlgorithm? = nil
  ) throws {
    try check(root: root)
    let (total, overflow) = piece.count.multipliedReportingOverflow(by: size)
    guard !overflow else {
      throw CollectiveError.invalid("Memory can't hold \(size) pieces of \(piece.count) bytes.")
    }
    let layout = try BlockLayout(equal: total, into: size)
    if rank == root { try check(length: pieces.count, expected: total, "the pieces of all ranks") }
    switch algorithm ?? CollectiveChoice.gather(pieceLength: piece.count, ranks: size) {
    case .binomial: try scatterByTree(pieces, into: piece, layout, from: root, tag: tag)
    case .direct: try scatterDirectly(pieces, into: piece, layout, from: root, tag: tag)
    }
  }

  /// The same with pieces of different lengths, of which each rank knows its own and the root all.
  ///
  /// - Parameter lengths: The length of each rank's piece in bytes. Looked at by the root only.
  package func scatter(
    _ pieces: UnsafeRawBufferPointer, lengths: [Int], into piece: UnsafeMutableRawBufferPointer,
    from root: Int, tag: Int32
  ) throws {
    try check(root: root)
    guard rank == root else { return try receive(into: piece, from: root, tag: tag) }
    let layout = try BlockLayout(lengths: lengths, count: size)
    try check(length: pieces.count, expected: layout.total, "the pieces of all ranks")
    try check(length: piece.count, expected: layout.length(rank), "the root's own piece")
    try scatterDirectly(pieces, into: piece, layout, from: root, tag: tag)
  }

  /// Appends to each rank's buffer its piece of what the root has: bytes of lengths that only the root knows.
  ///
  /// - Parameter pieces: Looked at by the root only.
  package func scatter(
    valuesIn pieces: Pieces?, appendingTo buffer: ByteBuffer, from root: Int, tag: Int32
  ) throws {
    try check(root: root)
    guard rank == root else { return try receive(appendingTo: buffer, from: root, tag: tag) }
    guard let pieces, pieces.ranges.count == size else {
      throw CollectiveError.invalid("The root has \(pieces?.ranges.count ?? 0) values for \(size) ranks.")
    }
    for destination in 0..<size where destination != rank {
      try send(pieces[destination], to: destination, tag: tag)
    }
    buffer.append(contentsOf: pieces[rank])
  }

  private func scatterDirectly(
    _ pieces: UnsafeRawBufferPointer, into piece: UnsafeMutableRawBufferPointer, _ layout: BlockLayout,
    from root: Int, tag: Int32
  ) throws {
    guard rank == root else { return try receive(into: piece, from: root, tag: tag) }
    for destination in 0..<size where destination != rank {
      try send(pieces.part(layout.range(destination)), to: destination, tag: tag)
    }
    piece.fill(from: pieces.part(layout.range(rank)))
  }

  /// Each rank gets the pieces of its subtree and passes on those of its children's: ⌈log₂ n⌉ rounds.
  private func scatterByTree(
    _ pieces: UnsafeRawBufferPointer, into piece: UnsafeMutableRawBufferPointer, _ layout: BlockLayout,
    from root: Int, tag: Int32
  ) throws {
    let tree = BinomialTree(root: root, rank: rank, size: size)
    if tree.isLeaf, let parent = tree.parent { return try receive(into: piece, from: parent, tag: tag) }

    func passOn(_ subtree: UnsafeRawBufferPointer) throws {
      try tree.forEachChildDescending { child in
        let places = tree.subtree(of: child)
        let part = layout.range(places.lowerBound - tree.place..<places.upperBound - tree.place)
        try send(subtree.part(part), to: tree.ranks.absolute(child), tag: tag)
      }
      piece.fill(from: subtree.part(0..<piece.count))
    }

    if rank == 0 && root == 0 { return try passOn(pieces) }
    let length = layout.start(tree.subtree.count)
    try withUnsafeTemporaryAllocation(byteCount: length, alignment: 16) { subtree in
      if let parent = tree.parent {
        try receive(into: subtree, from: parent, tag: tag)
      } else {
        let split = layout.start(size - root)
        subtree.part(0..<split).fill(from: pieces.part(layout.start(root)..<layout.total))
        subtree.part(split..<length).fill(from: pieces.part(0..<layout.start(root)))
      }
      try passOn(subtree.readable)
    }
  }
}

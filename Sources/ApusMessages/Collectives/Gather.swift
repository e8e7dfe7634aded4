extension PointToPoint {
  /// Collects the pieces of all ranks at the root, in rank order. All pieces have one length, which all ranks
  /// know.
  ///
  /// - Parameters:
  ///   - pieces: Looked at by the root only. Its own piece may already lie in its place.
  ///   - algorithm: For tests; all ranks must name the same.
  package func gather(
    _ piece: UnsafeRawBufferPointer, into pieces: UnsafeMutableRawBufferPointer, to root: Int, tag: Int32,
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
    case .binomial: try gatherByTree(piece, into: pieces, layout, to: root, tag: tag)
    case .direct: try gatherDirectly(piece, into: pieces, layout, to: root, tag: tag)
    }
  }

  /// The same with pieces of lengths that only the root need know.
  ///
  /// - Parameter lengths: The length of each rank's piece in bytes. Looked at by the root only.
  package func gather(
    _ piece: UnsafeRawBufferPointer, into pieces: UnsafeMutableRawBufferPointer, lengths: [Int], to root: Int,
    tag: Int32
  ) throws {
    try check(root: root)
    guard rank == root else { return try send(piece, to: root, tag: tag) }
    let layout = try BlockLayout(lengths: lengths, count: size)
    try check(length: pieces.count, expected: layout.total, "the pieces of all ranks")
    try check(length: piece.count, expected: layout.length(rank), "the root's own piece")
    try gatherDirectly(piece, into: pieces, layout, to: root, tag: tag)
  }

  /// Collects pieces of lengths that nobody but their ranks knows. Returns nil on all ranks but the root.
  package func gather(valueIn piece: UnsafeRawBufferPointer, to root: Int, tag: Int32) throws -> Pieces? {
    try check(root: root)
    guard rank == root else {
      try send(piece, to: root, tag: tag)
      return nil
    }
    var pieces = Pieces()
    for source in 0..<size {
      try pieces.append { buffer in
        if source == rank {
          buffer.append(contentsOf: piece)
        } else {
          try receive(appendingTo: buffer, from: source, tag: tag)
        }
      }
    }
    return pieces
  }

  func gatherDirectly(
    _ piece: UnsafeRawBufferPointer, into pieces: UnsafeMutableRawBufferPointer, _ layout: BlockLayout,
    to root: Int, tag: Int32
  ) throws {
    guard rank == root else { return try send(piece, to: root, tag: tag) }
    for source in 0..<size {
      let part = pieces.part(layout.range(source))
      if source == rank {
        part.fill(from: piece)
      } else {
        try receive(into: part, from: source, tag: tag)
      }
    }
  }

  /// Each rank collects the pieces of its subtree and sends them on: ⌈log₂ n⌉ rounds, and a piece is sent up to
  /// as many times.
  private func gatherByTree(
    _ piece: UnsafeRawBufferPointer, into pieces: UnsafeMutableRawBufferPointer, _ layout: BlockLayout,
    to root: Int, tag: Int32
  ) throws {
    let tree = BinomialTree(root: root, rank: rank, size: size)
    if tree.isLeaf, let parent = tree.parent { return try send(piece, to: parent, tag: tag) }
    // In relative order from this rank's own piece on, which for root 0 is what the caller wants.
    try withRelativePieces(pieces, layout, tree) { subtree in
      subtree.part(0..<piece.count).fill(from: piece)
      try tree.forEachChild { child in
        let places = tree.subtree(of: child)
        let part = layout.range(places.lowerBound - tree.place..<places.upperBound - tree.place)
        try receive(into: subtree.part(part), from: tree.ranks.absolute(child), tag: tag)
      }
      if let parent = tree.parent { return try send(subtree.readable, to: parent, tag: tag) }
      guard root > 0 else { return }
      let split = layout.start(size - root)
      pieces.part(layout.start(root)..<layout.total).fill(from: subtree.part(0..<split).readable)
      pieces.part(0..<layout.start(root)).fill(from: subtree.part(split..<layout.total).readable)
    }
  }

  private func withRelativePieces(
    _ pieces: UnsafeMutableRawBufferPointer, _ layout: BlockLayout, _ tree: BinomialTree,
    _ body: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws {
    if tree.parent == nil && tree.ranks.root == 0 { return try body(pieces) }
    let length = layout.start(tree.subtree.count)
    try withUnsafeTemporaryAllocation(byteCount: length, alignment: 16, body)
  }
}

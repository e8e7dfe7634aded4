extension PointToPoint {
  /// Gives every rank the root's `bytes`, whose length all ranks know.
  ///
  /// - Parameter algorithm: For tests; all ranks must name the same.
  package func broadcast(
    _ bytes: UnsafeMutableRawBufferPointer, from root: Int, tag: Int32,
    by algorithm: BroadcastAlgorithm? = nil
  ) throws {
    try check(root: root)
    guard size > 1 else { return }
    switch algorithm ?? CollectiveChoice.broadcast(length: bytes.count, ranks: size) {
    case .binomial: try broadcastByTree(bytes, from: root, tag: tag)
    case .scatterAllGather: try broadcastByScatter(bytes, from: root, tag: tag)
    case .chain: try broadcastAlongChain(bytes, from: root, tag: tag)
    }
  }

  /// ⌈log₂ n⌉ rounds of the whole length.
  private func broadcastByTree(_ bytes: UnsafeMutableRawBufferPointer, from root: Int, tag: Int32) throws {
    let tree = BinomialTree(root: root, rank: rank, size: size)
    if let parent = tree.parent { try receive(into: bytes, from: parent, tag: tag) }
    try tree.forEachChildDescending { try send(bytes.readable, to: tree.ranks.absolute($0), tag: tag) }
  }

  /// Each rank first gets a part, down a tree; then the ranks exchange their parts. Twice the length in all,
  /// however many ranks there are: Barnett, Gupta, Payne, Shuler, van de Geijn and Watts (1994).
  private func broadcastByScatter(_ bytes: UnsafeMutableRawBufferPointer, from root: Int, tag: Int32) throws {
    let tree = BinomialTree(root: root, rank: rank, size: size)
    // Block i is the part of relative rank i, so that each subtree's parts lie on end.
    let layout = BlockLayout(splitting: bytes.count, unit: 1, into: size)
    if let parent = tree.parent {
      try receive(into: bytes.part(layout.range(tree.subtree)), from: parent, tag: tag)
    }
    try tree.forEachChildDescending { child in
      let part = bytes.part(layout.range(tree.subtree(of: child)))
      try send(part.readable, to: tree.ranks.absolute(child), tag: tag)
    }
    if size.isPowerOf2 && bytes.count <= CollectiveChoice.shortAllGather {
      try allGatherByDoubling(bytes, layout, tree.ranks, tag: tag)
    } else {
      try allGatherByRing(bytes, layout, tree.ranks, tag: tag)
    }
  }

  /// Each rank passes pieces on to the next one as they come: n - 2 pieces' time more than one rank to another.
  private func broadcastAlongChain(_ bytes: UnsafeMutableRawBufferPointer, from root: Int, tag: Int32) throws
  {
    let (source, destination) = chainNeighbours(from: root)
    let length = CollectiveChoice.pieceLength
    func piece(_ index: Int) -> UnsafeMutableRawBufferPointer {
      bytes.part(index * length..<min((index + 1) * length, bytes.count))
    }
    try relay(
      (bytes.count + length - 1) / length, from: source, to: destination, tag: tag, incoming: piece,
      outgoing: { piece($0).readable })
  }

  /// The ranks before and behind this one on a chain that starts at the root.
  func chainNeighbours(from root: Int) -> (source: Int?, destination: Int?) {
    let ranks = RelativeRanks(root: root, size: size)
    let place = ranks.relative(rank)
    return (place == 0 ? nil : ranks.absolute(place - 1), place == size - 1 ? nil : ranks.absolute(place + 1))
  }
}

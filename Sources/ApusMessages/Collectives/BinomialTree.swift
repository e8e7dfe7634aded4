/// The binomial tree over relative ranks: the parent of a rank is the rank without its lowest one bit. Each
/// subtree is a run of ranks on end, of a power of two or cut off by the last rank.
struct BinomialTree {
  let ranks: RelativeRanks
  /// The relative rank whose place this is.
  let place: Int

  init(root: Int, rank: Int, size: Int) {
    ranks = RelativeRanks(root: root, size: size)
    place = ranks.relative(rank)
  }

  /// Nil for the root.
  var parent: Int? { place == 0 ? nil : ranks.absolute(place & (place - 1)) }

  /// The relative ranks of the subtree whose top is here.
  var subtree: Range<Int> { subtree(of: place) }

  /// The relative ranks of the subtree with its top at `place`.
  func subtree(of place: Int) -> Range<Int> {
    place == 0 ? 0..<ranks.size : place..<min(place + place & -place, ranks.size)
  }

  var isLeaf: Bool { subtree.count == 1 }

  /// Calls `body` with the place of each child, from the smallest subtree to the largest.
  func forEachChild(_ body: (Int) throws -> Void) rethrows {
    var distance = 1
    while distance < subtree.count {
      try body(place + distance)
      distance *= 2
    }
  }

  /// Calls `body` with the place of each child, from the largest subtree to the smallest: whoever has the most
  /// to pass on gets it first.
  func forEachChildDescending(_ body: (Int) throws -> Void) rethrows {
    var distance = subtree.count.roundedUpToPowerOf2 / 2
    while distance > 0 {
      try body(place + distance)
      distance /= 2
    }
  }
}

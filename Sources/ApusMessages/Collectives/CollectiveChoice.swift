/// How a barrier goes.
package enum BarrierAlgorithm: Sendable, CaseIterable { case dissemination, direct }
/// How a broadcast goes.
package enum BroadcastAlgorithm: Sendable, CaseIterable { case binomial, scatterAllGather, chain }
/// How a gather or a scatter goes.
package enum GatherAlgorithm: Sendable, CaseIterable { case binomial, direct }
/// How an allGather goes. `recursiveDoubling` is for a number of ranks that is a power of two.
package enum AllGatherAlgorithm: Sendable, CaseIterable { case recursiveDoubling, bruck, ring, direct }
/// How an allToAll goes.
package enum AllToAllAlgorithm: Sendable, CaseIterable { case bruck, pairwise, direct }
/// How a reduction to one rank goes.
package enum ReduceAlgorithm: Sendable, CaseIterable { case binomial, reduceScatterGather }
/// How a reduction to all ranks goes.
package enum AllReduceAlgorithm: Sendable, CaseIterable {
  case recursiveDoubling, reduceScatterAllGather, direct
}
/// How a reduceScatter goes.
package enum ReduceScatterAlgorithm: Sendable, CaseIterable { case recursiveHalving, pairwise }
/// How a scan goes, inclusive or exclusive.
package enum ScanAlgorithm: Sendable, CaseIterable { case doubling, chain }

/// Which algorithm an operation takes, by what every rank knows: lengths in bytes and the number of ranks.
///
/// All ranks must choose the same, so nothing else may enter. Where thresholds come from the literature they
/// were measured on clusters; the literature agrees on them within a factor of four, and so do the costs on
/// either side.
package enum CollectiveChoice {
  /// Pieces of a pipelined chain: small enough that the pipeline fills soon and a piece stays in a core's
  /// second cache on its way, large enough that a message's own cost is some per cent of it.
  package static let pieceLength = 64 << 10

  /// Up to here latency decides: Thakur, Rabenseifner and Gropp 2005 have 12 KiB.
  package static let shortBroadcast = 12 << 10

  /// A value of unknown length goes with the message that names its length up to here: an eager copy of this
  /// much costs less than a second message down the tree.
  package static let shortValue = 32 << 10

  /// Pieces up to here are worth copying at each level of a tree; and fewer ranks than this are asked directly,
  /// since the tree then saves the root next to no messages.
  package static let shortGather = 4 << 10
  package static let ranksForTree = 8

  /// All pieces together; both from Thakur, Rabenseifner and Gropp 2005.
  package static let shortAllGather = 512 << 10
  package static let shortAllGatherOfAnySize = 80 << 10

  /// A piece; Bruck's algorithm sends each of them log₂(n)/2 times. Thakur, Rabenseifner and Gropp 2005.
  package static let shortAllToAll = 256

  /// The whole array: below, the smaller number of rounds wins. Thakur, Rabenseifner and Gropp 2005.
  package static let shortReduce = 2 << 10

  /// The whole array. Thakur, Rabenseifner and Gropp 2005.
  package static let shortReduceScatter = 512 << 10

  /// The whole array, for fewer ranks than `ranksForTree`: each tells all others, in one round.
  package static let shortDirectReduce = 256

  /// Whether a library's own operation, as a request, is worth its start: between 2 ranks on one machine MPI_Iallreduce
  /// of 8 bytes takes 1.1 to 1.4 µs and ours 0.7; for more ranks than this the library knows its network.
  package static func isNative(length: Int, ranks: Int) -> Bool {
    ranks > 1 && (length > shortReduce || ranks > ranksForTree)
  }

  package static func barrier(ranks: Int) -> BarrierAlgorithm {
    ranks < ranksForTree ? .direct : .dissemination
  }

  package static func broadcast(length: Int, ranks: Int) -> BroadcastAlgorithm {
    if length <= shortBroadcast || ranks <= 2 { return .binomial }
    // A chain of n ranks takes n - 2 pieces' time to fill, and then moves each byte past a rank once.
    // Scattering and gathering moves it twice.
    return length / pieceLength >= 2 * ranks ? .chain : .scatterAllGather
  }

  package static func gather(pieceLength: Int, ranks: Int) -> GatherAlgorithm {
    pieceLength <= shortGather && ranks >= ranksForTree ? .binomial : .direct
  }

  package static func allGather(total: Int, ranks: Int) -> AllGatherAlgorithm {
    if ranks < ranksForTree { return .direct }
    if ranks.isPowerOf2 { return total <= shortAllGather ? .recursiveDoubling : .ring }
    return total <= shortAllGatherOfAnySize ? .bruck : .ring
  }

  package static func allToAll(pieceLength: Int, ranks: Int) -> AllToAllAlgorithm {
    if ranks < ranksForTree { return .direct }
    return pieceLength <= shortAllToAll ? .bruck : .pairwise
  }

  package static func reduce(length: Int, ranks: Int) -> ReduceAlgorithm {
    length <= shortReduce || ranks <= 2 ? .binomial : .reduceScatterGather
  }

  package static func allReduce(length: Int, ranks: Int) -> AllReduceAlgorithm {
    if length <= shortDirectReduce, ranks < ranksForTree { return .direct }
    return length <= shortReduce ? .recursiveDoubling : .reduceScatterAllGather
  }

  package static func reduceScatter(total: Int, ranks: Int) -> ReduceScatterAlgorithm {
    // Where the ranks are no power of two, halving sends some of the arrays once more as a whole.
    total <= (ranks.isPowerOf2 ? shortReduceScatter : shortReduceScatter / 8) ? .recursiveHalving : .pairwise
  }

  package static func scan(length: Int, ranks: Int) -> ScanAlgorithm {
    // The chain takes n + length / piece steps of a piece, doubling log₂(n) of the whole length.
    ranks > 2 && length / pieceLength >= ranks ? .chain : .doubling
  }
}

import ApusSystem
import ApusWire
import ApusMessages

/// Each carries one operation out on one rank, and throws if the outcome is not what a sequential program would
/// give.
extension CollectiveStep {
  func carryOut(_ number: Int, on ranks: some PointToPoint, world: ThreadRanks, tag: Int32 = 7) throws {
    switch operation {
    case .barrier(let algorithm):
      _ = world.arrive(at: number, counting: true)
      try ranks.barrier(tag: tag, by: algorithm)
      try expectSame(world.arrive(at: number, counting: false), ranks.size, "ranks in the barrier")
    case .broadcast(let algorithm): try broadcast(ranks, tag, algorithm)
    case .broadcastValue: try broadcastValue(ranks, tag)
    case .gather(let algorithm): try gather(ranks, tag, algorithm)
    case .gatherUnequal: try gatherUnequal(ranks, tag)
    case .gatherValues: try gatherValues(ranks, tag)
    case .scatter(let algorithm): try scatter(ranks, tag, algorithm)
    case .scatterUnequal: try scatterUnequal(ranks, tag)
    case .scatterValues: try scatterValues(ranks, tag)
    case .allGather(let algorithm): try allGather(ranks, tag, algorithm, isEqual: true)
    case .allGatherUnequal(let algorithm): try allGather(ranks, tag, algorithm, isEqual: false)
    case .allGatherValues: try allGatherValues(ranks, tag)
    case .allToAll(let algorithm): try allToAll(ranks, tag, algorithm)
    case .allToAllUnequal: try allToAllUnequal(ranks, tag)
    case .allToAllValues: try allToAllValues(ranks, tag)
    default: try carryOutReduction(on: ranks, tag: tag)
    }
  }

  private func unequal(_ size: Int) -> [Int] { data.lengths(0, count: size, upTo: length) }

  private func pieces(_ lengths: [Int]) -> [[UInt8]] {
    lengths.indices.map { data.bytes($0, count: lengths[$0]) }
  }

  private func broadcast(_ ranks: some PointToPoint, _ tag: Int32, _ algorithm: BroadcastAlgorithm?) throws {
    let expected = data.bytes(root, count: length)
    var bytes = ranks.rank == root ? expected : [UInt8](repeating: 0xEE, count: length)
    try bytes.withUnsafeMutableBytes { try ranks.broadcast($0, from: root, tag: tag, by: algorithm) }
    try expectSame(bytes, expected, "broadcast")
  }

  private func broadcastValue(_ ranks: some PointToPoint, _ tag: Int32) throws {
    let expected = data.bytes(root, count: length)
    let before: [UInt8] = ranks.rank == root ? [] : [1, 2, 3]
    let buffer = ByteBuffer(ranks.rank == root ? expected : before)
    try ranks.broadcast(valueIn: buffer, from: root, tag: tag)
    try expectSame(buffer.contents, before + expected, "broadcast of a value")
  }

  private func gather(_ ranks: some PointToPoint, _ tag: Int32, _ algorithm: GatherAlgorithm?) throws {
    let isRoot = ranks.rank == root
    var result = [UInt8](repeating: 0xEE, count: isRoot ? length * ranks.size : 0)
    try data.bytes(ranks.rank, count: length).withUnsafeBytes { piece in
      try result.withUnsafeMutableBytes {
        try ranks.gather(piece, into: $0, to: root, tag: tag, by: algorithm)
      }
    }
    let all = pieces(Array(repeating: length, count: ranks.size)).flatMap { $0 }
    try expectSame(result, isRoot ? all : [], "gather")
  }

  private func gatherUnequal(_ ranks: some PointToPoint, _ tag: Int32) throws {
    let lengths = unequal(ranks.size)
    let isRoot = ranks.rank == root
    var result = [UInt8](repeating: 0xEE, count: isRoot ? lengths.reduce(0, +) : 0)
    try data.bytes(ranks.rank, count: lengths[ranks.rank]).withUnsafeBytes { piece in
      try result.withUnsafeMutableBytes {
        try ranks.gather(piece, into: $0, lengths: isRoot ? lengths : [], to: root, tag: tag)
      }
    }
    try expectSame(result, isRoot ? pieces(lengths).flatMap { $0 } : [], "gather of unequal pieces")
  }

  private func gatherValues(_ ranks: some PointToPoint, _ tag: Int32) throws {
    let lengths = unequal(ranks.size)
    let result = try data.bytes(ranks.rank, count: lengths[ranks.rank]).withUnsafeBytes {
      try ranks.gather(valueIn: $0, to: root, tag: tag)
    }
    try expectSame(result?.contents, ranks.rank == root ? pieces(lengths) : nil, "gather of values")
  }

  private func scatter(_ ranks: some PointToPoint, _ tag: Int32, _ algorithm: GatherAlgorithm?) throws {
    let all = pieces(Array(repeating: length, count: ranks.size))
    var piece = [UInt8](repeating: 0xEE, count: length)
    try piece.withUnsafeMutableBytes { piece in
      try (ranks.rank == root ? all.flatMap { $0 } : []).withUnsafeBytes {
        try ranks.scatter($0, into: piece, from: root, tag: tag, by: algorithm)
      }
    }
    try expectSame(piece, all[ranks.rank], "scatter")
  }

  private func scatterUnequal(_ ranks: some PointToPoint, _ tag: Int32) throws {
    let lengths = unequal(ranks.size)
    let isRoot = ranks.rank == root
    var piece = [UInt8](repeating: 0xEE, count: lengths[ranks.rank])
    try piece.withUnsafeMutableBytes { piece in
      try (isRoot ? pieces(lengths).flatMap { $0 } : []).withUnsafeBytes {
        try ranks.scatter($0, lengths: isRoot ? lengths : [], into: piece, from: root, tag: tag)
      }
    }
    try expectSame(piece, pieces(lengths)[ranks.rank], "scatter of unequal pieces")
  }

  private func scatterValues(_ ranks: some PointToPoint, _ tag: Int32) throws {
    let all = pieces(unequal(ranks.size))
    let buffer = ByteBuffer([9])
    try ranks.scatter(
      valuesIn: ranks.rank == root ? Pieces(all) : nil, appendingTo: buffer, from: root, tag: tag)
    try expectSame(buffer.contents, [9] + all[ranks.rank], "scatter of values")
  }

  private func allGather(
    _ ranks: some PointToPoint, _ tag: Int32, _ algorithm: AllGatherAlgorithm?, isEqual: Bool
  ) throws {
    let lengths = isEqual ? Array(repeating: length, count: ranks.size) : unequal(ranks.size)
    let all = pieces(lengths)
    var result = all.indices.flatMap {
      $0 == ranks.rank ? all[$0] : [UInt8](repeating: 0xEE, count: lengths[$0])
    }
    try result.withUnsafeMutableBytes {
      if isEqual {
        try ranks.allGather($0, tag: tag, by: algorithm)
      } else {
        try ranks.allGather($0, lengths: lengths, tag: tag, by: algorithm)
      }
    }
    try expectSame(result, all.flatMap { $0 }, "allGather")
  }

  private func allGatherValues(_ ranks: some PointToPoint, _ tag: Int32) throws {
    let all = pieces(unequal(ranks.size))
    let result = try all[ranks.rank].withUnsafeBytes { try ranks.allGather(valueIn: $0, tag: tag) }
    try expectSame(result.contents, all, "allGather of values")
  }

  /// What one rank has for another.
  private func letter(from source: Int, to destination: Int, size: Int, length: Int? = nil) -> [UInt8] {
    let length = length ?? data.lengths(source, count: size, upTo: self.length)[destination]
    return data.bytes(1000 * source + destination, count: length)
  }

  private func allToAll(_ ranks: some PointToPoint, _ tag: Int32, _ algorithm: AllToAllAlgorithm?) throws {
    let (rank, size) = (ranks.rank, ranks.size)
    let outgoing = (0..<size).flatMap { letter(from: rank, to: $0, size: size, length: length) }
    var incoming = [UInt8](repeating: 0xEE, count: size * length)
    try outgoing.withUnsafeBytes { outgoing in
      try incoming.withUnsafeMutableBytes {
        try ranks.allToAll(outgoing, into: $0, tag: tag, by: algorithm)
      }
    }
    let expected = (0..<size).flatMap { letter(from: $0, to: rank, size: size, length: length) }
    try expectSame(incoming, expected, "allToAll")
  }

  private func allToAllUnequal(_ ranks: some PointToPoint, _ tag: Int32) throws {
    let (rank, size) = (ranks.rank, ranks.size)
    let outgoing = (0..<size).map { letter(from: rank, to: $0, size: size) }
    let expected = (0..<size).map { letter(from: $0, to: rank, size: size) }
    var incoming = [UInt8](repeating: 0xEE, count: expected.reduce(0) { $0 + $1.count })
    try outgoing.flatMap { $0 }.withUnsafeBytes { bytes in
      try incoming.withUnsafeMutableBytes {
        try ranks.allToAll(
          bytes, lengths: outgoing.map(\.count), into: $0, lengths: expected.map(\.count), tag: tag)
      }
    }
    try expectSame(incoming, expected.flatMap { $0 }, "allToAll of unequal pieces")
  }

  private func allToAllValues(_ ranks: some PointToPoint, _ tag: Int32) throws {
    let (rank, size) = (ranks.rank, ranks.size)
    let outgoing = Pieces((0..<size).map { letter(from: rank, to: $0, size: size) })
    let expected = (0..<size).map { letter(from: $0, to: rank, size: size) }
    try expectSame(ranks.allToAll(valuesIn: outgoing, tag: tag).contents, expected, "allToAll of values")
  }
}

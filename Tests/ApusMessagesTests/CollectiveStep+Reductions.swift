import ApusSystem
import ApusWire
import ApusMessages

extension CollectiveStep {
  func carryOutReduction(on ranks: some PointToPoint, tag: Int32) throws {
    switch operation {
    case .reduce(let algorithm, false): try reduce(ranks, tag, algorithm)
    case .reduce(let algorithm, true): try reduceSums(ranks, tag, algorithm)
    case .reduceValues(let isCommutative): try reduceValues(ranks, tag, isCommutative)
    case .allReduce(let algorithm): try allReduce(ranks, tag, algorithm)
    case .allReduceValues: try allReduceValues(ranks, tag)
    case .reduceScatter(let algorithm): try reduceScatter(ranks, tag, algorithm, isEqual: true)
    case .reduceScatterUnequal(let algorithm): try reduceScatter(ranks, tag, algorithm, isEqual: false)
    case .scan(let algorithm, let isExclusive): try scan(ranks, tag, algorithm, isExclusive)
    case .scanValues(let isExclusive): try scanValues(ranks, tag, isExclusive)
    default: throw Mismatch(description: "no reduction: \(operation)")
    }
  }

  /// The maps of some ranks, one after the other.
  private func composed(_ ranks: Range<Int>, count: Int) -> [Affine] {
    var result = data.maps(ranks.lowerBound, count: count)
    for rank in ranks.dropFirst() {
      let next = data.maps(rank, count: count)
      for index in result.indices { result[index] = result[index].then(next[index]) }
    }
    return result
  }

  private func reduce(_ ranks: some PointToPoint, _ tag: Int32, _ algorithm: ReduceAlgorithm?) throws {
    let isRoot = ranks.rank == root
    var maps = data.maps(ranks.rank, count: length)
    if length % 2 == 0 {
      var result = [Affine](repeating: Affine(a: 9, b: 9), count: isRoot ? length : 0)
      try maps.withUnsafeBytes { bytes in
        try result.withUnsafeMutableBytes {
          try ranks.reduce(bytes, into: $0, .affine, to: root, tag: tag, by: algorithm)
        }
      }
      try expectSame(maps, data.maps(ranks.rank, count: length), "the operand of reduce")
      try expectSame(result, isRoot ? composed(0..<ranks.size, count: length) : [], "reduce")
    } else {
      try maps.withUnsafeMutableBytes {
        let result = isRoot ? $0 : UnsafeMutableRawBufferPointer(start: nil, count: 0)
        try ranks.reduce(.init($0), into: result, .affine, to: root, tag: tag, by: algorithm)
      }
      if isRoot { try expectSame(maps, composed(0..<ranks.size, count: length), "reduce in place") }
    }
  }

  private func reduceSums(_ ranks: some PointToPoint, _ tag: Int32, _ algorithm: ReduceAlgorithm?) throws {
    func numbers(_ rank: Int) -> [Int32] {
      (0..<length).map { Int32(truncatingIfNeeded: data.number(rank, $0)) }
    }
    let isRoot = ranks.rank == root
    var result = [Int32](repeating: 9, count: isRoot ? length : 0)
    try numbers(ranks.rank).withUnsafeBytes { bytes in
      try result.withUnsafeMutableBytes {
        try ranks.reduce(bytes, into: $0, .sum(Int32.self), to: root, tag: tag, by: algorithm)
      }
    }
    let all = (0..<ranks.size).map(numbers)
    let sums = (0..<length).map { index in all.reduce(0) { $0 &+ $1[index] } }
    try expectSame(result, isRoot ? sums : [], "reduce to a sum")
  }

  private func values(_ size: Int) -> [[UInt8]] {
    let lengths = data.lengths(0, count: size, upTo: length)
    return (0..<size).map { data.bytes($0, count: lengths[$0]) }
  }

  private func reduceValues(_ ranks: some PointToPoint, _ tag: Int32, _ isCommutative: Bool) throws {
    let all = values(ranks.size)
    let result = ByteBuffer([5])
    try all[ranks.rank].withUnsafeBytes {
      try ranks.reduce(
        valueIn: $0, appendingTo: result, isCommutative ? .merge : .concatenation, to: root, tag: tag)
    }
    // Combined with nobody, a value is not sorted either.
    let joined = all.flatMap { $0 }
    let expected = isCommutative && ranks.size > 1 ? joined.sorted() : joined
    try expectSame(result.contents, [5] + (ranks.rank == root ? expected : []), "reduce of values")
  }

  private func allReduce(_ ranks: some PointToPoint, _ tag: Int32, _ algorithm: AllReduceAlgorithm?) throws {
    var maps = data.maps(ranks.rank, count: length)
    try maps.withUnsafeMutableBytes { try ranks.allReduce($0, .affine, tag: tag, by: algorithm) }
    try expectSame(maps, composed(0..<ranks.size, count: length), "allReduce")
  }

  private func allReduceValues(_ ranks: some PointToPoint, _ tag: Int32) throws {
    let all = values(ranks.size)
    let result = ByteBuffer([5])
    try all[ranks.rank].withUnsafeBytes {
      try ranks.allReduce(valueIn: $0, appendingTo: result, .concatenation, tag: tag)
    }
    try expectSame(result.contents, [5] + all.flatMap { $0 }, "allReduce of values")
  }

  private func reduceScatter(
    _ ranks: some PointToPoint, _ tag: Int32, _ algorithm: ReduceScatterAlgorithm?, isEqual: Bool
  ) throws {
    let (rank, size) = (ranks.rank, ranks.size)
    let counts = isEqual ? Array(repeating: length, count: size) : data.lengths(0, count: size, upTo: length)
    let lengths = counts.map { $0 * MemoryLayout<Affine>.stride }
    let (start, total) = (counts[..<rank].reduce(0, +), counts.reduce(0, +))
    let expected = Array(composed(0..<size, count: total)[start..<start + counts[rank]])
    var maps = data.maps(rank, count: total)
    if length % 2 == 0 {
      var result = [Affine](repeating: Affine(a: 9, b: 9), count: counts[rank])
      try maps.withUnsafeBytes { bytes in
        try result.withUnsafeMutableBytes {
          try ranks.reduceScatter(
            bytes, lengths: isEqual ? nil : lengths, into: $0, .affine, tag: tag, by: algorithm)
        }
      }
      try expectSame(maps, data.maps(rank, count: total), "the operand of reduceScatter")
      try expectSame(result, expected, "reduceScatter")
    } else {
      try maps.withUnsafeMutableBytes {
        let offset = start * MemoryLayout<Affine>.stride
        let block = UnsafeMutableRawBufferPointer(rebasing: $0[offset..<offset + lengths[rank]])
        try ranks.reduceScatter(
          .init($0), lengths: isEqual ? nil : lengths, into: block, .affine, tag: tag, by: algorithm)
      }
      try expectSame(Array(maps[start..<start + counts[rank]]), expected, "reduceScatter in place")
    }
  }

  private func scan(
    _ ranks: some PointToPoint, _ tag: Int32, _ algorithm: ScanAlgorithm?, _ isExclusive: Bool
  ) throws {
    var maps = data.maps(ranks.rank, count: length)
    try maps.withUnsafeMutableBytes {
      if isExclusive {
        try ranks.exclusiveScan($0, .affine, tag: tag, by: algorithm)
      } else {
        try ranks.scan($0, .affine, tag: tag, by: algorithm)
      }
    }
    // The first rank of an exclusive scan keeps its own.
    let last = isExclusive && ranks.rank > 0 ? ranks.rank - 1 : ranks.rank
    try expectSame(maps, composed(0..<last + 1, count: length), "scan")
  }

  private func scanValues(_ ranks: some PointToPoint, _ tag: Int32, _ isExclusive: Bool) throws {
    let all = values(ranks.size)
    let result = ByteBuffer([5])
    try all[ranks.rank].withUnsafeBytes {
      if isExclusive {
        try ranks.exclusiveScan(valueIn: $0, appendingTo: result, .concatenation, tag: tag)
      } else {
        try ranks.scan(valueIn: $0, appendingTo: result, .concatenation, tag: tag)
      }
    }
    let before = all[..<(isExclusive ? ranks.rank : ranks.rank + 1)]
    try expectSame(result.contents, [5] + before.flatMap { $0 }, "scan of values")
  }
}

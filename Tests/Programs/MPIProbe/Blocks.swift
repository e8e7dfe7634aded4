import ApusMessages

/// Rank r has r + 1 elements, and there are holes between the blocks.
func checkBlocks(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  let (rank, size) = (world.rank, world.size)
  func block(_ rank: Int) -> [Double] { (0...rank).map { Double(rank) + Double($0) / 100 } }
  let counts = (0..<size).map { $0 + 1 }
  let offsets = (0..<size).map { $0 * (size + 2) }
  let blocks = MPIBlocks(counts: counts, offsets: offsets)
  var everything = [Double](repeating: -1, count: size * (size + 2))
  for other in 0..<size {
    for (index, value) in block(other).enumerated() { everything[offsets[other] + index] = value }
  }
  let empty = [Double](repeating: -1, count: everything.count)

  for root in 0..<size {
    let isRoot = rank == root
    var all = empty
    try using(&all) { to throws(MPIFailure) in
      try reading(block(rank)) { from throws(MPIFailure) in
        try world.gather(from, into: isRoot ? to : nil, isRoot ? blocks : nil, at: root)
      }
    }
    checks.expect(all == (isRoot ? everything : empty), "a gather of blocks at \(root)")

    var part = [Double](repeating: -1, count: rank + 1)
    try using(&part) { to throws(MPIFailure) in
      try reading(everything) { from throws(MPIFailure) in
        try world.scatter(isRoot ? from : nil, isRoot ? blocks : nil, into: to, from: root)
      }
    }
    checks.expect(part, block(rank), "a scatter of blocks from \(root)")
  }

  var all = empty
  try using(&all) { to throws(MPIFailure) in
    try reading(block(rank)) { from throws(MPIFailure) in try world.allGather(from, into: to, blocks) }
  }
  checks.expect(all == everything, "an all-gather of blocks")

  // To rank r go r elements, to rank 0 none.
  let out = (0..<size).flatMap { other in [Int32](repeating: Int32(rank * 100 + other), count: other) }
  var into = [Int32](repeating: -1, count: size * rank)
  try using(&into) { to throws(MPIFailure) in
    try reading(out) { from throws(MPIFailure) in
      try world.allToAll(
        from, MPIBlocks(counts: Array(0..<size)), into: to,
        MPIBlocks(counts: [Int](repeating: rank, count: size)))
    }
  }
  let expected = (0..<size).flatMap { other in [Int32](repeating: Int32(other * 100 + rank), count: rank) }
  checks.expect(into, expected, "an all-to-all of blocks")

  checks.expect(.badArgument, "a block past the end") { () throws(MPIFailure) in
    var room: [Double] = [0]
    try using(&room) { to throws(MPIFailure) in
      try reading([1.0]) { from throws(MPIFailure) in
        try world.allGather(from, into: to, MPIBlocks(counts: [Int](repeating: 2, count: size)))
      }
    }
  }
}

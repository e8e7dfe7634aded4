import ApusMessages

func checkCollectives(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  try world.over(world.startBarrier())
  try checkIntegers(Int8.self, world, &checks)
  try checkIntegers(Int16.self, world, &checks)
  try checkIntegers(Int32.self, world, &checks)
  try checkIntegers(Int64.self, world, &checks)
  try checkIntegers(UInt8.self, world, &checks)
  try checkIntegers(UInt16.self, world, &checks)
  try checkIntegers(UInt32.self, world, &checks)
  try checkIntegers(UInt64.self, world, &checks)
  try checkFractions(Float.self, world, &checks)
  try checkFractions(Double.self, world, &checks)
  for root in 0..<world.size { try checkMovement(world, root: root, &checks) }
  try checkScans(world, &checks)
}

private func checkIntegers<T: MPINumber & FixedWidthInteger>(
  _ type: T.Type, _ world: MPICommunicator, _ checks: inout Checks
) throws(MPIFailure) {
  let ranks = (0..<world.size).map { T($0) }
  let mine = [ranks[world.rank] + 1, 3]
  let ones = ranks.map { $0 + 1 }
  func expect(_ operation: StandardOperation, _ first: T, _ second: T) throws(MPIFailure) {
    let result = try world.allReduce(mine, operation)
    checks.expect(result, [first, second], "\(operation) of \(T.self)")
  }
  let isOdd = world.size % 2 == 1
  try expect(.sum, ones.reduce(0, +), T(3 * world.size))
  try expect(.product, ones.reduce(1, *), (0..<world.size).reduce(1) { product, _ in product * 3 })
  try expect(.min, 1, 3)
  try expect(.max, ones.max()!, 3)
  try expect(.bitwiseAnd, ones.reduce(~0, &), 3)
  try expect(.bitwiseOr, ones.reduce(0, |), 3)
  try expect(.bitwiseXor, ones.reduce(0, ^), isOdd ? 3 : 0)

  let truth: [T] = [world.rank == 0 ? 1 : 0, 1]
  let all = try world.allReduce(truth, .logicalAnd)
  checks.expect(all, [world.size == 1 ? 1 : 0, 1], "and of \(T.self)")
  let some = try world.allReduce(truth, .logicalOr)
  checks.expect(some, [1, 1], "or of \(T.self)")
  let odd = try world.allReduce(truth, .logicalXor)
  checks.expect(odd, [1, isOdd ? 1 : 0], "xor of \(T.self)")

  // All of its bits: a type of the wrong width or sign would give others.
  let extremes = try world.allReduce([T.max, T.min], .max)
  checks.expect(extremes, [T.max, T.min], "the extremes of \(T.self)")
}

private func checkFractions<T: MPINumber & BinaryFloatingPoint>(
  _ type: T.Type, _ world: MPICommunicator, _ checks: inout Checks
) throws(MPIFailure) {
  let mine = [T(world.rank) + 0.5, -T(world.rank)]
  let last = T(world.size - 1)
  let sum = try world.sum(mine)
  checks.expect(sum[0], (0..<world.size).map { T($0) + 0.5 }.reduce(0, +), "a sum of \(T.self)")
  let greatest = try world.allReduce(mine, .max)
  checks.expect(greatest, [last + 0.5, 0], "the maximum of \(T.self)")
  let least = try world.allReduce(mine, .min)
  checks.expect(least, [0.5, -last], "the minimum of \(T.self)")
}

private func checkMovement(
  _ world: MPICommunicator, root: Int, _ checks: inout Checks
) throws(MPIFailure) {
  for count in [1, 7, 5000] { try checkMovement(world, root: root, count: count, "of \(count)", &checks) }
}

/// Everything that moves `count` numbers a rank.
func checkMovement(
  _ world: MPICommunicator, root: Int, count: Int, _ what: String, _ checks: inout Checks
) throws(MPIFailure) {
  let (rank, size) = (world.rank, world.size)
  let isRoot = rank == root
  let sum = MPIReduction(.sum, Int64.self)
  func block(_ rank: Int) -> [Int64] { (0..<count).map { Int64(rank * 10000 + $0) } }
  let everything = (0..<size).flatMap { block($0) }

  var copy = isRoot ? block(root) : [Int64](repeating: -1, count: count)
  try filling(&copy) { buffer throws(MPIFailure) in
    try world.over(world.startBroadcast(buffer, from: root))
  }
  checks.expect(copy == block(root), "a broadcast \(what) from \(root)")

  var all = [Int64](repeating: -1, count: isRoot ? count * size : 0)
  try filling(&all) { to throws(MPIFailure) in
    try with(block(rank)) { from throws(MPIFailure) in
      try world.over(world.startGather(from, into: isRoot ? to.baseAddress : nil, to: root))
    }
  }
  checks.expect(!isRoot || all == everything, "a gather \(what) at \(root)")

  var part = [Int64](repeating: -1, count: count)
  try filling(&part) { to throws(MPIFailure) in
    try with(everything) { from throws(MPIFailure) in
      try world.over(world.startScatter(isRoot ? from.baseAddress : nil, into: to, from: root))
    }
  }
  checks.expect(part == block(rank), "a scatter \(what) from \(root)")

  let sums = (0..<count).map { index in Int64((0..<size).reduce(0) { $0 + $1 * 10000 + index }) }
  var total = [Int64](repeating: -1, count: count)
  try filling(&total) { to throws(MPIFailure) in
    try with(block(rank)) { from throws(MPIFailure) in
      try world.over(world.startReduce(from, into: isRoot ? to.baseAddress : nil, sum, to: root))
    }
  }
  checks.expect(total == (isRoot ? sums : [Int64](repeating: -1, count: count)), "a reduction \(what)")

  total = block(rank)
  try filling(&total) { to throws(MPIFailure) in
    try world.over(
      world.startReduce(UnsafeRawBufferPointer(to), into: isRoot ? to.baseAddress : nil, sum, to: root))
  }
  checks.expect(!isRoot || total == sums, "a reduction \(what) in place")

  all = [Int64](repeating: -1, count: count * size)
  all.replaceSubrange(rank * count..<(rank + 1) * count, with: block(rank))
  try filling(&all) { buffer throws(MPIFailure) in try world.over(world.startAllGather(buffer)) }
  checks.expect(all == everything, "an all-gather \(what)")

  let out = (0..<size).flatMap { other in block(rank).map { $0 * 10 + Int64(other) } }
  try filling(&all) { to throws(MPIFailure) in
    try with(out) { from throws(MPIFailure) in
      try world.over(world.startAllToAll(from, into: to.baseAddress))
    }
  }
  let expected = (0..<size).flatMap { other in block(other).map { $0 * 10 + Int64(rank) } }
  checks.expect(all == expected, "an all-to-all \(what)")

  try filling(&part) { to throws(MPIFailure) in
    try with(everything) { from throws(MPIFailure) in
      try world.over(world.startReduceScatter(from.baseAddress, into: to, sum))
    }
  }
  checks.expect(part == block(rank).map { $0 * Int64(size) }, "a reduce-scatter \(what)")
}

private func checkScans(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  let mine = [Int64(world.rank + 1), 2]
  let sum = MPIReduction(.sum, Int64.self)
  var result = mine
  try filling(&result) { buffer throws(MPIFailure) in try world.over(world.startScan(buffer, sum)) }
  let upToHere = (0...world.rank).reduce(0) { $0 + $1 + 1 }
  checks.expect(result, [Int64(upToHere), Int64(2 * (world.rank + 1))], "a scan")

  result = [-1, -1]
  try filling(&result) { to throws(MPIFailure) in
    try with(mine) { from throws(MPIFailure) in
      try world.over(world.startExclusiveScan(from, into: to.baseAddress, sum))
    }
  }
  let before = [Int64(upToHere - world.rank - 1), Int64(2 * world.rank)]
  checks.expect(result, world.rank > 0 ? before : [-1, -1], "an exclusive scan")
}

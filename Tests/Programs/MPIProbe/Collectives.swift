import ApusMessages

func checkCollectives(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  try world.barrier()
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
  try checkInPlace(world, &checks)
}

private func checkIntegers<T: MPINumber & FixedWidthInteger>(
  _ type: T.Type, _ world: MPICommunicator, _ checks: inout Checks
) throws(MPIFailure) {
  let ranks = (0..<world.size).map { T($0) }
  let mine = [ranks[world.rank] + 1, 3]
  let ones = ranks.map { $0 + 1 }
  func expect(_ operation: MPIOperator, _ first: T, _ second: T) throws(MPIFailure) {
    let result = try world.allReduce(mine, operation)
    checks.expect(result, [first, second], "\(operation) of \(T.self)")
  }
  let isOdd = world.size % 2 == 1
  try expect(.sum, ones.reduce(0, +), T(3 * world.size))
  try expect(.product, ones.reduce(1, *), (0..<world.size).reduce(1) { product, _ in product * 3 })
  try expect(.minimum, 1, 3)
  try expect(.maximum, ones.max()!, 3)
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
  let extremes = try world.allReduce([T.max, T.min], .maximum)
  checks.expect(extremes, [T.max, T.min], "the extremes of \(T.self)")
}

private func checkFractions<T: MPINumber & BinaryFloatingPoint>(
  _ type: T.Type, _ world: MPICommunicator, _ checks: inout Checks
) throws(MPIFailure) {
  let mine = [T(world.rank) + 0.5, -T(world.rank)]
  let last = T(world.size - 1)
  let sum = try world.sum(mine)
  checks.expect(sum[0], (0..<world.size).map { T($0) + 0.5 }.reduce(0, +), "a sum of \(T.self)")
  let greatest = try world.allReduce(mine, .maximum)
  checks.expect(greatest, [last + 0.5, 0], "the maximum of \(T.self)")
  let least = try world.allReduce(mine, .minimum)
  checks.expect(least, [0.5, -last], "the minimum of \(T.self)")
}

private func checkMovement(
  _ world: MPICommunicator, root: Int, _ checks: inout Checks
) throws(MPIFailure) {
  let (rank, size) = (world.rank, world.size)
  let isRoot = rank == root
  for count in [1, 7, 5000] {
    func block(_ rank: Int) -> [Int64] { (0..<count).map { Int64(rank * 10000 + $0) } }
    let everything = (0..<size).flatMap { block($0) }

    var copy = isRoot ? block(root) : [Int64](repeating: -1, count: count)
    try using(&copy) { buffer throws(MPIFailure) in try world.broadcast(buffer, from: root) }
    checks.expect(copy == block(root), "a broadcast from \(root)")

    var all = [Int64](repeating: -1, count: isRoot ? count * size : 0)
    try using(&all) { to throws(MPIFailure) in
      try reading(block(rank)) { from throws(MPIFailure) in
        try world.gather(from, count: count, into: isRoot ? to : nil, at: root)
      }
    }
    checks.expect(!isRoot || all == everything, "a gather at \(root)")

    var part = [Int64](repeating: -1, count: count)
    try using(&part) { to throws(MPIFailure) in
      try reading(everything) { from throws(MPIFailure) in
        try world.scatter(isRoot ? from : nil, count: count, into: to, from: root)
      }
    }
    checks.expect(part == block(rank), "a scatter from \(root)")

    var total = [Int64](repeating: -1, count: count)
    try using(&total) { to throws(MPIFailure) in
      try reading(block(rank)) { from throws(MPIFailure) in
        try world.reduce(from, into: isRoot ? to : nil, .sum, at: root)
      }
    }
    let sums = (0..<count).map { index in Int64((0..<size).reduce(0) { $0 + $1 * 10000 + index }) }
    checks.expect(total == (isRoot ? sums : [Int64](repeating: -1, count: count)), "a reduction at \(root)")

    all = [Int64](repeating: -1, count: count * size)
    try using(&all) { to throws(MPIFailure) in
      try reading(block(rank)) { from throws(MPIFailure) in
        try world.allGather(from, count: count, into: to)
      }
    }
    checks.expect(all == everything, "an all-gather")

    let out = (0..<size).flatMap { other in block(rank).map { $0 * 10 + Int64(other) } }
    try using(&all) { to throws(MPIFailure) in
      try reading(out) { from throws(MPIFailure) in try world.allToAll(from, count: count, into: to) }
    }
    let expected = (0..<size).flatMap { other in block(other).map { $0 * 10 + Int64(rank) } }
    checks.expect(all == expected, "an all-to-all")

    try using(&part) { to throws(MPIFailure) in
      try reading(everything) { from throws(MPIFailure) in try world.reduceScatter(from, into: to, .sum) }
    }
    checks.expect(part == block(rank).map { $0 * Int64(size) }, "a reduce-scatter")
  }
}

private func checkScans(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  let mine = [Int64(world.rank + 1), 2]
  var result: [Int64] = [-1, -1]
  try using(&result) { to throws(MPIFailure) in
    try reading(mine) { from throws(MPIFailure) in try world.scan(from, into: to, .sum) }
  }
  let upToHere = (0...world.rank).reduce(0) { $0 + $1 + 1 }
  checks.expect(result, [Int64(upToHere), Int64(2 * (world.rank + 1))], "a scan")

  try using(&result) { to throws(MPIFailure) in
    try reading(mine) { from throws(MPIFailure) in try world.exclusiveScan(from, into: to, .sum) }
  }
  if world.rank > 0 {
    checks.expect(result, [Int64(upToHere - world.rank - 1), Int64(2 * world.rank)], "an exclusive scan")
  }
}

private func checkInPlace(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  let (rank, size) = (world.rank, world.size)
  var sum = [Int32(rank)]
  try using(&sum) { buffer throws(MPIFailure) in try world.allReduce(nil, into: buffer, .sum) }
  checks.expect(sum, [Int32(size * (size - 1) / 2)], "a sum in place")

  var all = [Int32](repeating: -1, count: size)
  all[rank] = Int32(rank)
  try using(&all) { buffer throws(MPIFailure) in try world.allGather(nil, count: 1, into: buffer) }
  checks.expect(all, (0..<size).map { Int32($0) }, "an all-gather in place")

  var parts = (0..<size).map { Int32($0 + 5) }
  try using(&parts) { buffer throws(MPIFailure) in
    if rank == 0 {
      try world.scatter(UnsafeBufferPointer(buffer), count: 1, into: nil, from: 0)
    } else {
      try world.scatter(
        nil, count: 1, into: UnsafeMutableBufferPointer(rebasing: buffer[rank...rank]), from: 0)
    }
  }
  checks.expect(parts[rank], Int32(rank + 5), "a scatter in place")

  try using(&parts) { buffer throws(MPIFailure) in
    buffer[rank] += 1
    let mine = UnsafeBufferPointer(rebasing: UnsafeBufferPointer(buffer)[rank...rank])
    try world.gather(rank == 0 ? nil : mine, count: 1, into: rank == 0 ? buffer : nil, at: 0)
  }
  checks.expect(rank != 0 || parts == (0..<size).map { Int32($0 + 6) }, "a gather in place")
}

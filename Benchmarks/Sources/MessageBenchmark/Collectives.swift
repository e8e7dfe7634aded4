import Apus

// One collective operation, over and over.

func barrier(_ world: Communicator) throws {
  try measure(world, bytes: 0) { for _ in 0..<$0 { try world.barrier() } }
}

func reduceValue(_ world: Communicator) throws {
  var sum = 0.0
  try measure(world, bytes: 8) { for _ in 0..<$0 { sum = try world.allReduce(1.0, .sum) } }
  require(sum == Double(world.size), "the sum is \(sum)")
}

func reduceArray(_ world: Communicator, bytes: Int) throws {
  let ones = Array(repeating: 1.0, count: bytes / 8)
  var sums: [Double] = []
  try measure(world, bytes: bytes) { for _ in 0..<$0 { sums = try world.allReduce(ones, .sum) } }
  require(sums == Array(repeating: Double(world.size), count: ones.count), "the sums are wrong")
}

/// So many bytes for each rank, into memory that is there, as C does it.
func allToAll(_ world: Communicator, bytes: Int) throws {
  let mine = Array(repeating: Double(world.rank), count: bytes / 8 * world.size)
  var all = mine
  try measure(world, bytes: mine.count * 8) { rounds in
    try all.withUnsafeMutableBufferPointer { for _ in 0..<rounds { try world.allToAll(mine, into: $0) } }
  }
  require(
    all == (0..<world.size).flatMap { Array(repeating: Double($0), count: bytes / 8) }, "what came is wrong")
}

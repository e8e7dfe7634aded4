import Apus

/// Collective operations that a rank gives up before it has begun, or is wrong about, while the others may be in one of the
/// MPI library's. Whatever comes after gives the right values.
enum GivenUpScenarios {
  static func play(_ world: Communicator) throws {
    for failing in 0..<world.size { try play(world, failing) }
    let half = try world.split(color: world.rank % 2)!
    for failing in 0..<world.size / 2 { try play(half, min(failing, half.size - 1)) }
    try play(world.duplicate(), 0)
  }

  private static func play(_ world: Communicator, _ failing: Int) throws {
    let (rank, size) = (world.rank, world.size)
    let isFailing = rank == failing
    let nobody = isFailing ? size + 3 : 0
    let (other, count) = ((failing + 1) % size, 1000)
    let blocks = (0..<size).map { Block(UInt64($0)) }

    // One rank alone knows of its mistake.
    try check(world, failing) {
      try world.scatter(isFailing ? blocks + blocks : nil, from: failing) == blocks[rank]
    }
    try check(world, failing) { try world.broadcast(Block?.none, from: failing) == blocks[rank] }
    try check(world, failing) { try world.allToAll(isFailing ? blocks + blocks : blocks) == blocks }
    try check(world, failing) {
      let counts = Array(repeating: isFailing ? 1 : count, count: size)
      return try world.reduceScatter(Array(repeating: 1, count: count * size), counts: counts, .sum)
        == Array(repeating: size, count: count)
    }
    // Who has too little room has it alone, and the others get what is for them.
    try check(world, failing, othersFail: false) { try exchanges(world, room: isFailing ? count - 1 : nil) }

    // A root that can't be, for one rank: as a debug build tells all.
    try check(world, failing) {
      try world.broadcast(rank == 0 ? blocks[0] : nil, from: nobody) == blocks[0]
    }
    try check(world, failing) {
      var values = Array(repeating: rank, count: count)
      try values.withUnsafeMutableBufferPointer { try world.broadcast(into: $0, from: nobody) }
      return values == Array(repeating: 0, count: count)
    }
    try check(world, failing) { try world.scatter(blocks, from: nobody) == blocks[rank] }
    try check(world, failing) {
      let root = isFailing ? -2 : other
      return try world.gather(blocks[rank], to: root) == (rank == root ? blocks : nil)
    }
    try check(world, failing) {
      let root = isFailing ? -2 : other
      let sums = try world.reduce(Array(repeating: 1, count: count), .sum, to: root)
      return sums == (rank == root ? Array(repeating: size, count: count) : nil)
    }
  }

  /// - Parameter body: Whether what a rank got is right.
  private static func check(
    _ world: Communicator, _ failing: Int, othersFail: Bool = true, line: Int = #line,
    _ body: () throws -> Bool
  ) throws {
    do {
      demand(try body() && (world.rank != failing || world.size == 1), line: line)
    } catch let error as MessageError {
      demand(world.rank == failing || othersFail, "\(error)", line: line)
      let codes: [MessageError.Code] =
        world.rank == failing ? [.invalidArgument] : [.collectiveFailed, .invalidArgument]
      demand(codes.contains(error.code), "\(error)", line: line)
    }
    // What differs from call to call, so that values of another call are seen.
    let turn = UInt64(line)
    let mine = Block(turn &* UInt64(world.rank + 1))
    let all = (0..<world.size).map { Block(turn &* UInt64($0 + 1)) }
    demand(try world.scatter(world.rank == failing ? all : nil, from: failing) == mine, line: line)
    demand(try world.broadcast(world.rank == failing ? mine : nil, from: failing) == all[failing], line: line)
    demand(try world.allGather(mine) == all, line: line)
    demand(
      try world.allReduce(Array(repeating: Int(turn), count: 700), .sum)
        == Array(repeating: Int(turn) * world.size, count: 700), line: line)
    demand(try exchanges(world, room: nil), line: line)
  }

  private static func exchanges(_ world: Communicator, room: Int?) throws -> Bool {
    let count = 1000
    let mine = (0..<world.size).flatMap { Array(repeating: world.rank * 100 + $0, count: count) }
    var got = Array(repeating: -1, count: room ?? mine.count)
    try got.withUnsafeMutableBufferPointer { try world.allToAll(mine, into: $0) }
    return got == (0..<world.size).flatMap { Array(repeating: $0 * 100 + world.rank, count: count) }
  }

  /// The others send this rank something long for an operation that it has given up, and it waits for one of them.
  static func elsewhere(_ world: Communicator) throws {
    let last = world.size - 1
    for turn in 0..<3 {
      giveUp(world)
      // From rank to rank, and at the end to the one that has given up.
      if world.rank > 1 { demand(try world.receive(Int.self, from: (world.rank + 1) % world.size) == turn) }
      if world.rank != 1 {
        let next = world.rank == 0 ? last : world.rank - 1
        try world.send(turn, to: next)
      } else {
        demand(try world.receive(Int.self, from: 2 % world.size) == turn)
      }
    }
    try world.barrier()
    demand(try world.allReduce(1, .sum) == world.size)
  }

  /// The same, and the rank comes to its end.
  static func atTheEnd(_ world: Communicator) throws { giveUp(world) }

  /// Rank 1 gives up an operation with long messages.
  private static func giveUp(_ world: Communicator) {
    let counts = Array(repeating: world.rank == 1 ? 1 : 100_000, count: world.size)
    let values = Array(repeating: world.rank, count: 100_000 * world.size)
    let got = code { _ = try world.allToAll(dividing: values, counts: counts) }
    demand(got == (world.rank == 1 ? .invalidArgument : .collectiveFailed), "\(String(describing: got))")
  }
}

private struct Line: RawCodable, Equatable {
  var a, b, c, d, e, f, g, h: UInt64
  init(_ value: UInt64) {
    (a, b, c, d) = (value, value, value, value)
    (e, f, g, h) = (value, value, value, value)
  }
}

private struct Page: RawCodable, Equatable {
  var a, b, c, d, e, f, g, h: Line
  init(_ value: UInt64) {
    let line = Line(value)
    (a, b, c, d) = (line, line, line, line)
    (e, f, g, h) = (line, line, line, line)
  }
}

/// Long enough for the library's own operations.
private struct Block: RawCodable, Equatable {
  var a, b, c, d, e: Page
  init(_ value: UInt64) {
    let page = Page(value)
    (a, b, c, d, e) = (page, page, page, page, page)
  }
}

import Apus

/// An affine map x → a x + b: composition is associative and not commutative.
struct Affine: RawCodable, Equatable {
  var a: Int64
  var b: Int64
  func then(_ next: Affine) -> Affine { Affine(a: next.a &* a, b: next.a &* b &+ next.b) }
}

enum CollectiveScenarios {
  /// Where a library would saturate, or take a large unsigned number for a negative one.
  private static func extremes<T: FixedWidthInteger & RawCodable>(_ type: T.Type, _ world: Communicator)
    throws
  {
    func values(_ rank: Int) -> [T] {
      (0..<5000).map { rank % 2 == 0 ? T.max - T(truncatingIfNeeded: $0 % 50) : T.max / 2 + T(rank) }
    }
    func combined(_ combine: (T, T) -> T) -> [T] {
      (1..<world.size).reduce(values(0)) { zip($0, values($1)).map(combine) }
    }
    let mine = values(world.rank)
    demand(try world.allReduce(mine, .sum) == combined { $0 &+ $1 }, "sum of \(type)")
    demand(try world.allReduce(mine, .product) == combined { $0 &* $1 }, "product of \(type)")
    demand(try world.allReduce(mine, .min) == combined { Swift.min($0, $1) }, "min of \(type)")
    demand(try world.allReduce(mine, .max) == combined { Swift.max($0, $1) }, "max of \(type)")
    demand(try world.allReduce(mine, .bitwiseXor) == combined { $0 ^ $1 }, "xor of \(type)")
  }

  /// Element by element, by an operator that is not commutative.
  private static func encodedArrays(_ world: Communicator) throws {
    let (rank, size, join) = (world.rank, world.size, ReduceOperator<String> { $0 + $1 })
    func joined(_ ranks: Range<Int>, _ index: Int) -> String { ranks.map { "\($0)/\(index) " }.joined() }
    func all(_ ranks: Range<Int>, _ indices: Range<Int>) -> [String] { indices.map { joined(ranks, $0) } }
    let mine = (0..<2 * size + 1).map { "\(rank)/\($0) " }

    demand(
      try world.reduce(mine, join, to: size - 1) == (rank == size - 1 ? all(0..<size, 0..<mine.count) : nil))
    demand(try world.scan(mine, join) == all(0..<rank + 1, 0..<mine.count))
    demand(try world.exclusiveScan(mine, join) == (rank == 0 ? nil : all(0..<rank, 0..<mine.count)))
    let share = rank == 0 ? 0..<3 : 2 * rank + 1..<2 * rank + 3
    demand(try world.reduceScatter(mine, join) == all(0..<size, share))
    let counts = (0..<size).map { $0 == size - 1 ? mine.count : 0 }
    demand(
      try world.reduceScatter(mine, counts: counts, join)
        == (rank == size - 1 ? all(0..<size, 0..<mine.count) : []))
  }

  static func play(_ world: Communicator) throws {
    let (rank, size) = (world.rank, world.size)
    let ranks = Array(0..<size)
    for root in ranks {
      demand(try world.broadcast(rank == root ? "from \(root)" : nil, from: root) == "from \(root)")
      let person = Person(name: "\(root)", years: root, scores: [nil])
      demand(try world.broadcast(rank == root ? person : nil, from: root) == person)
      var buffer = Array(repeating: rank == root ? 2.5 : 0, count: 50_000)
      try buffer.withUnsafeMutableBufferPointer { try world.broadcast(into: $0, from: root) }
      demand(buffer == Array(repeating: 2.5, count: 50_000))

      demand(try world.scatter(rank == root ? ranks.map { "\($0)" } : nil, from: root) == "\(rank)")
      let divided = try world.scatter(dividing: rank == root ? Array(0..<103) : nil, from: root)
      demand(divided.count == 103 / size + (rank < 103 % size ? 1 : 0))
      let counts = ranks.map { $0 * 3 }
      let uneven = try world.scatter(
        dividing: rank == root ? Array(0..<counts.reduce(0, +)) : nil, counts: rank == root ? counts : nil,
        from: root)
      demand(uneven == Array(counts[..<rank].reduce(0, +)..<counts[...rank].reduce(0, +)))

      let gathered = try world.gather(Person(name: "p", years: rank, scores: []), to: root)
      demand(gathered.map { $0.map(\.years) } == (rank == root ? ranks : nil))
      let concatenated = try world.gather(concatenating: Array(repeating: rank, count: rank), to: root)
      demand(concatenated == (rank == root ? ranks.flatMap { Array(repeating: $0, count: $0) } : nil))

      demand(try world.reduce(rank + 1, .sum, to: root) == (rank == root ? size * (size + 1) / 2 : nil))
      let text = try world.reduce("\(rank)", ReduceOperator { $0 + $1 }, to: root)
      demand(text == (rank == root ? ranks.map { "\($0)" }.joined() : nil), "\(text ?? "nil")")
      demand(try world.reduce([rank, 1], .max, to: root) == (rank == root ? [size - 1, 1] : nil))
    }

    demand(try world.allGather("\(rank)") == ranks.map { "\($0)" })
    demand(try world.allGather(concatenating: [rank, -rank]) == ranks.flatMap { [$0, -$0] })
    demand(try world.allToAll(ranks.map { "\(rank)>\($0)" }) == ranks.map { "\($0)>\(rank)" })
    let pieces = try world.allToAll(
      dividing: ranks.flatMap { Array(repeating: rank * 100 + $0, count: $0 + 1) },
      counts: ranks.map { $0 + 1 })
    for count in [0, 1, 7, 5000] {
      let values = ranks.flatMap { Array(repeating: rank * 100 + $0, count: count) }
      var result = values
      try result.withUnsafeMutableBufferPointer { try world.allToAll(values, into: $0) }
      demand(result == ranks.flatMap { Array(repeating: $0 * 100 + rank, count: count) })
    }
    demand(pieces == ranks.flatMap { Array(repeating: $0 * 100 + rank, count: rank + 1) })

    demand(try world.allReduce(rank, .sum) == ranks.reduce(0, +))
    demand(try world.allReduce(Double(rank) + 0.5, .max) == Double(size) - 0.5)
    demand(try world.allReduce(Int32(rank), .min) == 0)
    demand(try world.allReduce(rank == size - 1, .or))
    demand(try world.allReduce(rank == size - 1, .and) == (size == 1))
    demand(try world.allReduce("\(rank)", ReduceOperator { $0 + $1 }) == ranks.map { "\($0)" }.joined())
    demand(try world.allReduce("\(rank)", .max) == "\(size - 1)")
    demand(
      try world.allReduce(["\(rank)", "x"], ReduceOperator<String> { $0 + $1 })[0]
        == ranks.map { "\($0)" }.joined())
    try encodedArrays(world)
    let integers: [any (FixedWidthInteger & RawCodable).Type] = [
      Int.self, Int8.self, Int16.self, Int32.self, UInt.self, UInt8.self, UInt16.self, UInt32.self,
    ]
    for type in integers { try extremes(type, world) }
    for count in [0, 1, 5, 1000, 200_000] {
      demand(
        try world.allReduce(Array(repeating: Int64(rank), count: count), .sum)
          == Array(repeating: Int64(ranks.reduce(0, +)), count: count))
    }

    let maps = ranks.map { Affine(a: Int64($0) + 2, b: Int64($0)) }
    let composed = ReduceOperator<Affine> { $0.then($1) }
    let through = maps.dropFirst().reduce(maps[0]) { $0.then($1) }
    demand(try world.allReduce(maps[rank], composed) == through)
    demand(
      try world.allReduce(Array(repeating: maps[rank], count: 3000), composed)
        == Array(repeating: through, count: 3000))
    demand(try world.scan(maps[rank], composed) == maps[1..<(rank + 1)].reduce(maps[0]) { $0.then($1) })
    demand(try world.scan([rank + 1], .sum) == [(rank + 1) * (rank + 2) / 2])
    demand(try world.exclusiveScan(rank + 1, .sum) == (rank == 0 ? nil : rank * (rank + 1) / 2))
    demand(try world.exclusiveScan([rank + 1], .sum) == (rank == 0 ? nil : [rank * (rank + 1) / 2]))
    let share = try world.reduceScatter(Array(0..<(size * 4)), .sum)
    demand(share == (0..<4).map { (rank * 4 + $0) * size })
    try world.barrier()
  }
}

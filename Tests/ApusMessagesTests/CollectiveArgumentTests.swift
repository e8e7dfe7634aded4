import ApusSystem
import ApusWire
import ApusMessages
import Testing

/// Arguments that can't be are errors, before anything is sent.
@Suite struct CollectiveArgumentTests {
  /// Every call is made by one rank of three, which would get stuck if it sent or received.
  private func expectRefusal(
    _ what: String, _ body: @escaping @Sendable (ThreadRank, UnsafeMutableRawBufferPointer) throws -> Void
  ) async {
    let results = await ThreadRanks.run(3, .synchronous) { rank -> Bool in
      guard rank.rank == 1 else { return true }
      var memory = [Int](repeating: 0, count: 12)
      do {
        try memory.withUnsafeMutableBytes { try body(rank, $0) }
        return false
      } catch let error as CollectiveError {
        return error.code == .invalidArgument && !error.description.isEmpty
      }
    }
    #expect(results.allSatisfy { (try? $0.get()) == true }, "\(what): \(results)")
  }

  @Test(arguments: [-1, 3, Int.min, Int.max]) func root(root: Int) async {
    await expectRefusal("broadcast") { try $0.broadcast($1, from: root, tag: 0) }
    await expectRefusal("broadcast of a value") {
      rank, _ in try rank.broadcast(valueIn: ByteBuffer(), from: root, tag: 0)
    }
    await expectRefusal("gather") { try $0.gather(.init($1), into: $1, to: root, tag: 0) }
    await expectRefusal("gather of unequal pieces") {
      try $0.gather(.init($1), into: $1, lengths: [], to: root, tag: 0)
    }
    await expectRefusal("gather of values") { _ = try $0.gather(valueIn: .init($1), to: root, tag: 0) }
    await expectRefusal("scatter") { try $0.scatter(.init($1), into: $1, from: root, tag: 0) }
    await expectRefusal("scatter of unequal pieces") {
      try $0.scatter(.init($1), lengths: [], into: $1, from: root, tag: 0)
    }
    await expectRefusal("scatter of values") {
      rank, _ in try rank.scatter(valuesIn: nil, appendingTo: ByteBuffer(), from: root, tag: 0)
    }
    await expectRefusal("reduce") { try $0.reduce(.init($1), into: $1, .sum(Int.self), to: root, tag: 0) }
    await expectRefusal("reduce of values") {
      try $0.reduce(valueIn: .init($1), appendingTo: ByteBuffer(), .concatenation, to: root, tag: 0)
    }
  }

  @Test(arguments: [
    [], [96], [32, 32], [32, 32, 33], [32, -32, 96], [Int.max, 1, 0], [Int.max, 1, Int.min + 96],
  ])
  func lengths(lengths: [Int]) async {
    await expectRefusal("gather") { try $0.gather(.init($1), into: $1, lengths: lengths, to: 1, tag: 0) }
    await expectRefusal("scatter") { try $0.scatter(.init($1), lengths: lengths, into: $1, from: 1, tag: 0) }
    await expectRefusal("allGather") { try $0.allGather($1, lengths: lengths, tag: 0) }
    await expectRefusal("allToAll") {
      try $0.allToAll(.init($1), lengths: lengths, into: $1, lengths: [32, 32, 32], tag: 0)
    }
    await expectRefusal("allToAll") {
      try $0.allToAll(.init($1), lengths: [32, 32, 32], into: $1, lengths: lengths, tag: 0)
    }
    await expectRefusal("reduceScatter") {
      try $0.reduceScatter(.init($1), lengths: lengths, into: $1, .sum(Int.self), tag: 0)
    }
  }

  /// Memory that is too short or too long, or no array of elements.
  @Test func memory() async {
    @Sendable func part(_ memory: UnsafeMutableRawBufferPointer, _ count: Int)
      -> UnsafeMutableRawBufferPointer
    {
      UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
    }
    for count in [0, 16, 95] {
      await expectRefusal("gather") {
        try $0.gather(.init(part($1, 32)), into: part($1, count), to: 1, tag: 0)
      }
      await expectRefusal("scatter") {
        try $0.scatter(.init(part($1, count)), into: part($1, 32), from: 1, tag: 0)
      }
      await expectRefusal("allToAll") { try $0.allToAll(.init($1), into: part($1, count), tag: 0) }
      await expectRefusal("reduce") {
        try $0.reduce(.init($1), into: part($1, count), .sum(Int.self), to: 1, tag: 0)
      }
      await expectRefusal("reduceScatter") {
        try $0.reduceScatter(.init($1), into: part($1, count), .sum(Int.self), tag: 0)
      }
    }
    await expectRefusal("allGather") { try $0.allGather(part($1, 95), tag: 0) }
    await expectRefusal("allGather by doubling") { try $0.allGather($1, tag: 0, by: .recursiveDoubling) }
    await expectRefusal("allReduce") { try $0.allReduce(part($1, 95), .sum(Int.self), tag: 0) }
    await expectRefusal("scan") { try $0.scan(part($1, 95), .sum(Int.self), tag: 0) }
    await expectRefusal("exclusiveScan") { try $0.exclusiveScan(part($1, 95), .sum(Int.self), tag: 0) }
    await expectRefusal("reduceScatter of parts of elements") {
      try $0.reduceScatter(.init(part($1, 24)), into: part($1, 8), .sum(Int128.self), tag: 0, by: .pairwise)
    }
    await expectRefusal("elements without a size") {
      try $0.allReduce($1, ElementOperator(stride: 0, isCommutative: true) { _, _, _, _ in }, tag: 0)
    }
    await expectRefusal("pieces for two") {
      rank, _ in _ = try rank.allToAll(valuesIn: Pieces([[1], [2]]), tag: 0)
    }
    await expectRefusal("pieces for two") {
      rank, _ in try rank.scatter(valuesIn: Pieces([[1], [2]]), appendingTo: ByteBuffer(), from: 1, tag: 0)
    }
  }
}

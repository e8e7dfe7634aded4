import Apus
import Glibc
import StressSupport

/// What ranks have got wrong once, again and again, at other moments each time.
struct Races {
  private let world: Communicator
  private let rounds: Int
  private let watch: Watch
  private var random = Random(mix(Settings.seed, 1))
  private var own: Random

  init(_ world: Communicator, rounds: Int, _ watch: Watch) {
    (self.world, self.rounds, self.watch) = (world, rounds, watch)
    own = Random(mix(Settings.seed, 2, UInt64(world.rank)))
  }

  mutating func play(_ name: String) throws {
    switch name {
    case "given-up": try givenUp()
    case "started-receives": try startedReceives()
    case "deadlock": try deadlocks()
    default: throw Mismatch(description: "there is no race \(name)")
    }
    try world.barrier()
  }

  // MARK: Collective operations that one rank gives up

  private mutating func givenUp() throws {
    let half = try world.split(color: world.rank % 2)!
    let copy = try world.duplicate()
    for round in 0..<rounds {
      watch.see(round)
      let ranks = [world, copy, half][random.below(3)]
      let (failing, way, length) = (
        random.below(world.size) % ranks.size, random.below(8), 1 + random.below(3) * 2000
      )
      stagger()
      do { try call(ranks, way, length, fails: ranks.rank == failing, failing) } catch let error
        as MessageError
      {
        // A debug build tells all of a root that differs.
        guard [.invalidArgument, .collectiveFailed].contains(error.code) else { throw error }
      }
      stagger()
      try follow(ranks, round, length, root: failing)
    }
  }

  /// Everybody but one calls it right.
  private func call(_ ranks: Communicator, _ way: Int, _ length: Int, fails: Bool, _ failing: Int) throws {
    let (size, root) = (ranks.size, fails ? ranks.size : (failing + 1) % ranks.size)
    let mine = Array(repeating: ranks.rank, count: length)
    var many = Array(repeating: ranks.rank, count: length * size)
    switch way {
    case 0: _ = try ranks.scatter(fails ? [1] + Array(repeating: 2, count: size) : nil, from: failing)
    case 1: _ = try ranks.broadcast(Affine?.none, from: failing)
    case 2: _ = try ranks.allToAll(Array(repeating: 1, count: fails ? size + 1 : size))
    case 3: _ = try ranks.reduceScatter(many, counts: Array(repeating: fails ? 0 : length, count: size), .sum)
    case 4: _ = try ranks.gather(1, to: root)
    case 5: _ = try ranks.reduce(mine, .sum, to: root)
    case 6: try many.withUnsafeMutableBufferPointer { try ranks.broadcast(into: $0, from: root) }
    default:
      _ = try ranks.allToAll(dividing: many, counts: Array(repeating: fails ? 1 : length, count: size))
    }
  }

  /// What comes after it gives what it must, and each time something else.
  private func follow(_ ranks: Communicator, _ round: Int, _ length: Int, root: Int) throws {
    let (size, all) = (ranks.size, 0..<ranks.size)
    let mine = Array(repeating: round * size + ranks.rank, count: length)
    let sum = all.reduce(0) { $0 + round * size + $1 }
    try expect(ranks.allReduce(mine, .sum), Array(repeating: sum, count: length), "sum")
    let pieces = all.map { Affine(factor: UInt64(round), summand: UInt64($0)) }
    try expect(ranks.scatter(ranks.rank == root ? pieces : nil, from: root), pieces[ranks.rank], "piece")
    try expect(ranks.broadcast(ranks.rank == root ? round : nil, from: root), round, "value")
    var got = Array(repeating: -1, count: length * size)
    let outgoing = all.flatMap { Array(repeating: mine[0] * 10 + $0, count: length) }
    try got.withUnsafeMutableBufferPointer { try ranks.allToAll(outgoing, into: $0) }
    let wanted = all.flatMap { Array(repeating: (round * size + $0) * 10 + ranks.rank, count: length) }
    try expect(got, wanted, "blocks")
    if round % 16 == 0 { try ranks.barrier() }
  }

  private mutating func stagger() { if own.below(4) == 0 { usleep(UInt32(own.below(300))) } }

  // MARK: Receives that were started, of long messages

  private mutating func startedReceives() throws {
    let (next, previous) = ((world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size)
    let (batch, total) = (2000, rounds * 12)
    for start in stride(from: 0, to: total, by: batch) {
      watch.see(start)
      let receives = try (0..<batch).map { _ in try world.startReceive([Int].self, from: previous) }
      let sends = try (0..<batch).map {
        try world.startSend(Array(repeating: start + $0, count: 1000), to: next)
      }
      for (index, receive) in receives.enumerated() {
        try expect(receive.wait(), Array(repeating: start + index, count: 1000), "message")
      }
      for send in sends { try send.wait() }
    }
  }

  // MARK: Long messages that are given up after a deadlock

  private mutating func deadlocks() throws {
    let (next, previous) = ((world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size)
    // Each takes a fifth of a second to be found.
    for round in 0..<max(1, rounds / 50) {
      watch.see(round)
      let count = [50_000, 300_000][random.below(2)]
      try expect(.deadlock) { try world.send(Array(repeating: round, count: count), to: next, tag: 1) }
      // All have given up what they sent: nobody receives before.
      _ = try world.allReduce(round, .max)
      try expect(.transport) { _ = try world.receive([Int].self, from: previous, tag: 1) }
      let got = try world.sendReceive(round, to: next, tag: 2, Int.self, from: previous, receiveTag: 2)
      try expect(got, round, "message")
    }
  }
}

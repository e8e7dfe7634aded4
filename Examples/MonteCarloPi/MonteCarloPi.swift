// Pi from random points: every rank throws its share of darts, and a reduction counts the hits.
//
//     .build/release/apus launch -n 4 .build/release/MonteCarloPi 10000000
import Apus

/// A small random number generator (SplitMix64; Steele, Lea and Flood 2014), so that each rank has its own numbers and
/// every run the same.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

@main
struct MonteCarloPi {
  static func main() throws {
    let world = try Communicator.world()
    let darts = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 4_000_000
    let mine = darts / world.size + (world.rank < darts % world.size ? 1 : 0)

    var generator = SplitMix64(state: UInt64(world.rank) << 32)
    var hits = 0
    for _ in 0..<mine {
      let x = Double.random(in: 0..<1, using: &generator)
      let y = Double.random(in: 0..<1, using: &generator)
      if x * x + y * y < 1 { hits += 1 }
    }

    if let total = try world.reduce(hits, .sum) {
      let pi = 4 * Double(total) / Double(darts)
      print("pi is about \(pi), from \(darts) darts on \(world.size) ranks; off by \(abs(pi - .pi))")
    }
  }
}

import ApusMessages
import Glibc

/// Ranks that are started in odd surroundings: they work as anywhere else.
enum Surrounded {
  /// One rank: prints, talks, and ends with 1 if a result is wrong, since the streams may be closed.
  static func rank(_ world: Communicator) throws {
    for line in 0..<200 { print("rank \(world.rank) \(line)") }
    printError("rank \(world.rank)")
    let sum = try world.allReduce(world.rank + 1, .sum)
    guard sum == world.size * (world.size + 1) / 2 else { exit(1) }
    let next = (world.rank + 1) % world.size
    let bytes = [Int](repeating: world.rank, count: 300_000)
    let sending = try world.startSend(bytes, to: next)
    let received = try world.receive([Int].self, from: .any)
    try sending.wait()
    guard received == [Int](repeating: (world.rank + world.size - 1) % world.size, count: 300_000) else {
      exit(1)
    }
    print("all is right")
  }

  /// The same inside of a program, whose own output must not get into what the ranks are told.
  static func play() throws {
    for line in 0..<500 { print("parent \(line)") }
    fflush(nil)
    for count in [3, 1, 2] {
      let results = try withRanks(count, with: [count, 7]) { value, world -> String in
        try rank(world)
        return "\(value) \(world.rank)"
      }
      for line in 0..<500 { print("parent \(line)") }
      for (rank, result) in results.enumerated() where try result.get() != "[\(count), 7] \(rank)" { exit(1) }
    }
  }
}

import Apus
import Glibc

/// Who is heard, and who is told of whom.
enum FairnessScenarios {
  /// Of those whose messages are there, `.any` takes each in turn.
  static func turns(_ world: Communicator) throws {
    let count = 40
    // Rank 0 must take nothing in before all is there, so it is told by other means: the last one to have sent makes it.
    let sign = "/tmp/apus-turns-\(getppid())"
    if world.rank > 0 {
      for _ in 0..<count { try world.send(world.rank, to: 0) }
      if world.rank > 1 { _ = try world.receive(Int.self, from: world.rank - 1) }
      if world.rank < world.size - 1 { return try world.send(0, to: world.rank + 1) }
      demand(mkdir(sign, 0o700) == 0)
    } else {
      while rmdir(sign) != 0 { usleep(1000) }
      let sources = try (0..<count).map { _ in try world.receive(Int.self, from: .any) }
      for peer in 1..<world.size {
        demand(sources.filter { $0 == peer }.count >= count / world.size, "\(sources)")
      }
      for _ in 0..<count * (world.size - 2) { _ = try world.receive(Int.self, from: .any) }
    }
  }

  /// Rank 2 of the world is rank 0 of a communicator whose other one ends. The others are still there.
  static func membersEnd(_ world: Communicator) throws {
    let pair = try world.split(color: world.rank >= 2 ? 1 : nil, key: -world.rank)
    guard let pair else { return demand(try world.receive(Int.self, from: 2) == 1) }
    if world.rank == 3 { return }
    do {
      _ = try pair.receive(Int.self, from: .any)
      demand(false)
    } catch let error as MessageError {
      demand(error.code == .rankEnded && error.rank == 0, "\(error) \(error.rank ?? -1)")
    }
    do {
      _ = try pair.receive(Int.self, from: 0)
      demand(false)
    } catch let error as MessageError {
      demand(error.code == .rankEnded && error.rank == 0, "\(error) \(error.rank ?? -1)")
    }
    for peer in 0..<2 { try world.send(1, to: peer) }
  }

  /// What was forked from a rank is none, and its end is nobody's.
  static func fork(_ world: Communicator) throws {
    let (next, previous) = ((world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size)
    // Swift does not offer it.
    let fork = unsafeBitCast(dlsym(nil, "fork"), to: (@convention(c) () -> Int32).self)
    let child = fork()
    if child == 0 {
      demand(code { try world.send(1, to: next) } == .finalized)
      demand(code { _ = try world.receive(Int.self, from: previous) } == .finalized)
      exit(0)
    }
    var status: Int32 = -1
    waitpid(child, &status, 0)
    demand(status == 0, "\(status)")
    demand(try world.sendReceive(world.rank, to: next, Int.self, from: previous) == previous)
    try world.barrier()
  }
}

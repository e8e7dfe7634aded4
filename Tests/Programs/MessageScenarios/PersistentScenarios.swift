import Apus

enum PersistentScenarios {
  static func play(_ world: Communicator) async throws {
    try rounds(world)
    try mistakes(world)
    // From here on several threads share the rank; what was prepared goes on.
    let next = (world.rank + 1) % world.size
    let previous = (world.rank + world.size - 1) % world.size
    let half = try await world.split(color: world.rank % 2)!
    try await awaited(world, next, previous)
    try await awaited(half, (half.rank + 1) % half.size, (half.rank + half.size - 1) % half.size)
    try await world.barrier()
  }

  private static func rounds(_ world: Communicator) throws {
    let next = (world.rank + 1) % world.size
    let previous = (world.rank + world.size - 1) % world.size
    for (communicator, to, from) in [
      (world, next, previous), (try world.duplicate(), next, previous),
    ] {
      for count in [0, 1, 100, 100_000] {
        let send = try communicator.persistentSend(of: Double.self, count: count, to: to, tag: 3)
        let receive = try communicator.persistentReceive(
          of: Double.self, count: count + 1, from: from, tag: 3)
        for round in 0..<5 {
          try send.withElements { elements in
            for index in elements.indices { elements[index] = Double(world.rank * 10 + round) }
          }
          try receive.start()
          try send.start()
          // Other messages pass meanwhile, also under the same tag.
          demand(try communicator.sendReceive(round, to: to, tag: 3, Int.self, from: from) == round)
          while round == 2, try !receive.test() {}
          let status = try receive.wait()
          demand(status.source == from && status.tag == 3 && status.count == count, "\(status)")
          try receive.withElements { elements in
            demand(elements.prefix(count).allSatisfy { $0 == Double(from * 10 + round) })
            demand(elements[count] == 0)
          }
          try send.wait()
        }
      }
    }
  }

  private static func mistakes(_ world: Communicator) throws {
    demand(code { _ = try world.persistentSend(of: Int.self, count: 1, to: world.size) } == .invalidArgument)
    demand(code { _ = try world.persistentSend(of: Int.self, count: -1, to: 0) } == .invalidArgument)
    demand(code { _ = try world.persistentReceive(of: Int.self, count: .max, from: 0) } == .invalidArgument)
    let next = (world.rank + 1) % world.size
    let previous = (world.rank + world.size - 1) % world.size
    let send = try world.persistentSend(of: Int.self, count: 4, to: next, tag: 4)
    let short = try world.persistentReceive(of: Int.self, count: 3, from: previous, tag: 4)
    demand(code { _ = try short.wait() } == .invalidArgument)
    try short.start()
    demand(code { try short.start() } == .invalidArgument)
    demand(code { try short.withElements { _ in } } == .invalidArgument)
    try send.start()
    demand(code { _ = try short.wait() } == .tooLong)
    try send.wait()
    let other = try world.persistentReceive(of: Double.self, count: 4, from: previous, tag: 4)
    try other.start()
    try send.start()
    demand(code { _ = try other.wait() } == .typeMismatch)
    try send.wait()
    // One that is let go of under way gives its receive up.
    try world.persistentReceive(of: Int.self, count: 4, from: previous, tag: 5).start()
    try world.barrier()
  }

  private static func awaited(_ world: Communicator, _ next: Int, _ previous: Int) async throws {
    let send = try world.persistentSend(of: Int.self, count: 1000, to: next, tag: 6)
    let receive = try world.persistentReceive(of: Int.self, count: 1000, from: .any)
    for round in 0..<3 {
      try send.withElements { $0.update(repeating: round + world.rank) }
      try receive.start()
      try send.start()
      demand(try await receive.wait().source == previous)
      try receive.withElements { demand($0.allSatisfy { $0 == round + previous }) }
      try await send.wait()
      try await world.barrier()
    }
  }
}

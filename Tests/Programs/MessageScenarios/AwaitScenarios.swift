import Apus

enum AwaitScenarios {
  static func play(_ world: Communicator) async throws {
    let next = (world.rank + 1) % world.size
    let previous = (world.rank + world.size - 1) % world.size
    try await withThrowingTaskGroup(of: Int.self) { group in
      for tag in 0..<50 {
        group.addTask { try await world.receive([Int].self, from: previous, tag: tag).count }
        group.addTask {
          try await world.send(Array(repeating: tag, count: tag * 1000), to: next, tag: tag)
          return 0
        }
      }
      var total = 0
      for try await count in group { total += count }
      demand(total == 1000 * 49 * 50 / 2, "\(total)")
    }

    // Cancelling the task gives the receive up.
    let task = Task { try await world.receive(Int.self, from: previous, tag: 99) }
    try await Task.sleep(for: .milliseconds(20))
    task.cancel()
    do {
      _ = try await task.value
      demand(false)
    } catch is CancellationError {}
    // Not before the next rank has given up.
    try await world.send(0, to: previous, tag: 98)
    demand(try await world.receive(Int.self, from: next, tag: 98) == 0)
    try await world.send(1, to: next, tag: 99)
    demand(try await world.receive(Int.self, from: previous, tag: 99) == 1)
    // While others still pass messages round, this rank must not be gone.
    for tag in 100..<110 {
      try await world.send(tag, to: next, tag: tag)
      demand(try await world.receive(Int.self, from: previous, tag: tag) == tag)
    }
  }
}

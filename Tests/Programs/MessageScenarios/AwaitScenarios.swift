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
    try await demandCancelled { _ = try await world.receive(Int.self, from: previous, tag: 99) }
    // Not before the next rank has given up.
    try await world.send(0, to: previous, tag: 98)
    demand(try await world.receive(Int.self, from: next, tag: 98) == 0)
    try await world.send(1, to: next, tag: 99)
    demand(try await world.receive(Int.self, from: previous, tag: 99) == 1)
    try await requests(world, next, previous)
    try await others(world, next, previous)
    // While others still pass messages round, this rank must not be gone.
    for tag in 100..<110 {
      try await world.send(tag, to: next, tag: tag)
      demand(try await world.receive(Int.self, from: previous, tag: tag) == tag)
    }
  }

  /// Requests that are awaited: before they are over, and after.
  private static func requests(_ world: Communicator, _ next: Int, _ previous: Int) async throws {
    for count in [1, 5000, 500_000] {
      let receive = try world.startReceive([Int].self, from: previous, tag: 200)
      let send = try world.startSend(Array(repeating: world.rank, count: count), to: next, tag: 200)
      demand(try await receive.value == Array(repeating: previous, count: count))
      demand(try await send.value.count == count)
      demand(receive.status?.count == count)
    }
    let early = try world.startReceive(Int.self, from: previous, tag: 201)
    try await world.send(7, to: next, tag: 201)
    while try !early.test() { await Task.yield() }
    demand(try await early.value == 7)

    let never = try world.startReceive(Int.self, from: previous, tag: 202)
    try await demandCancelled { _ = try await never.value }
  }

  private static func others(_ world: Communicator, _ next: Int, _ previous: Int) async throws {
    for count in [3, 300_000] {
      let values = Array(repeating: Double(world.rank), count: count)
      demand(
        try await world.sendReceive(
          values, to: next, tag: 300, [Double].self, from: previous, receiveTag: 300)
          == Array(repeating: Double(previous), count: count))

      let request = try world.startSend(values, to: next, tag: 301)
      let status = try await world.probe(from: previous, tag: 301)
      demand(status.count == count && status.source == previous && status.tag == 301)
      let buffer = UnsafeMutableBufferPointer<Double>.allocate(capacity: count)
      defer { buffer.deallocate() }
      demand(try await world.receive(into: buffer, from: previous, tag: 301).count == count)
      demand(buffer.allSatisfy { $0 == Double(previous) })
      _ = try await request.value

      let refused = try world.startSend(values, to: next, tag: 302)
      do {
        _ = try await world.receive(into: .init(rebasing: buffer[..<2]), from: previous, tag: 302)
        demand(false)
      } catch let error as MessageError { demand(error.code == .tooLong && error.rank == previous) }
      _ = try await refused.value
    }
    try await demandCancelled { _ = try await world.probe(from: previous, tag: 303) }
  }

  /// What waits in vain ends with its task.
  private static func demandCancelled(_ body: sending @escaping () async throws -> Void) async throws {
    let task = Task { try await body() }
    try await Task.sleep(for: .milliseconds(20))
    task.cancel()
    do {
      try await task.value
      demand(false)
    } catch is CancellationError {}
  }
}

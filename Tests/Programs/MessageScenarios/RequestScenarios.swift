import Apus
import Glibc

enum RequestScenarios {
  static func play(_ world: Communicator) throws {
    let next = (world.rank + 1) % world.size
    let previous = (world.rank + world.size - 1) % world.size
    // Receives that were started first get the messages first.
    let early = try (0..<10).map { _ in try world.startReceive([Int].self, from: previous, tag: 5) }
    let sends = try (0..<10).map { try world.startSend(Array(0..<($0 * 5000)), to: next, tag: 5) }
    for (number, request) in early.enumerated() {
      demand(try request.wait() == Array(0..<(number * 5000)))
      demand(request.status?.source == previous && request.status?.count == number * 5000)
    }
    for send in sends { demand(try send.wait().count >= 0) }

    // Test without waiting.
    let request = try world.startReceive(String.self, from: previous, tag: 6)
    demand(try !request.test() || world.size == 1)
    try world.barrier()
    try world.send("here", to: next, tag: 6)
    while try !request.test() { usleep(100) }
    demand(try request.wait() == "here")

    // Given up: the next receive gets the message.
    let given = try world.startReceive(Int.self, from: previous, tag: 7)
    demand(given.cancel())
    demand(!given.cancel())
    try world.barrier()
    try world.send(70, to: next, tag: 7)
    demand(try world.receive(Int.self, from: previous, tag: 7) == 70)

    // A request that is let go of waits for its receiver, who may come late.
    if world.size > 1 {
      if world.rank == 0 { _ = try world.startSend(Array(repeating: 1.5, count: 1_000_000), to: 1, tag: 8) }
      if world.rank == 1 {
        usleep(20_000)
        demand(try world.receive([Double].self, from: 0, tag: 8).count == 1_000_000)
      }
    }
    try world.barrier()
  }

  /// All headers come before the first payload has.
  static func manyStartedReceives(_ world: Communicator) throws {
    let (next, previous) = ((world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size)
    let receives = try (0..<1500).map { _ in try world.startReceive([Int].self, from: previous) }
    let sends = try receives.indices.map { try world.startSend(Array(repeating: $0, count: 1000), to: next) }
    for (index, receive) in receives.enumerated() {
      demand(try receive.wait() == Array(repeating: index, count: 1000))
    }
    for send in sends { try send.wait() }
    try world.barrier()
  }

  /// Long messages for receives that were started: where they come in pieces, one must not be fetched inside another.
  static func manyLongMessages(_ world: Communicator) throws {
    let (next, previous) = ((world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size)
    let count = 3000
    let array = Array(repeating: world.rank, count: 10_000)
    let receives = try (0..<count).map { _ in try world.startReceive([Int].self, from: previous) }
    let sends = try (0..<count).map { _ in try world.startSend(array, to: next) }
    for receive in receives { demand(try receive.wait() == Array(repeating: previous, count: 10_000)) }
    for send in sends { try send.wait() }
    try world.barrier()
  }
}

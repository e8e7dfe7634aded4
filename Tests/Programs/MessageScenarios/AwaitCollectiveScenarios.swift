import Apus
import Glibc

/// Every collective operation awaited, beside messages, and against blocking calls of the other ranks.
enum AwaitCollectiveScenarios {
  static func play(_ world: Communicator) async throws {
    let (rank, size) = (world.rank, world.size)
    let ranks = Array(0..<size)
    for root in ranks {
      demand(try await world.broadcast(rank == root ? "from \(root)" : nil, from: root) == "from \(root)")
      demand(try await world.broadcast(rank == root ? 7.5 : nil, from: root) == 7.5)
      demand(try await world.scatter(rank == root ? ranks.map { "\($0)" } : nil, from: root) == "\(rank)")
      let divided = try await world.scatter(dividing: rank == root ? Array(0..<103) : nil, from: root)
      demand(divided.count == 103 / size + (rank < 103 % size ? 1 : 0))
      demand(try await world.gather("\(rank)", to: root) == (rank == root ? ranks.map { "\($0)" } : nil))
      demand(
        try await world.gather(concatenating: [rank, rank], to: root)
          == (rank == root ? ranks.flatMap { [$0, $0] } : nil))
      demand(try await world.reduce(rank + 1, .sum, to: root) == (rank == root ? size * (size + 1) / 2 : nil))
      demand(try await world.reduce([rank, 1], .max, to: root) == (rank == root ? [size - 1, 1] : nil))
      demand(
        try await world.reduce("\(rank)", ReduceOperator { $0 + $1 }, to: root)
          == (rank == root ? ranks.map { "\($0)" }.joined() : nil))
    }
    let memory = UnsafeMutableBufferPointer<Int>.allocate(capacity: 10_000)
    defer { memory.deallocate() }
    memory.initialize(repeating: rank)
    try await world.broadcast(into: memory, from: size - 1)
    demand(memory.allSatisfy { $0 == size - 1 })

    demand(try await world.allGather("\(rank)") == ranks.map { "\($0)" })
    demand(try await world.allGather(concatenating: [rank, -rank]) == ranks.flatMap { [$0, -$0] })
    demand(try await world.allToAll(ranks.map { "\(rank)>\($0)" }) == ranks.map { "\($0)>\(rank)" })
    demand(try await world.allToAll(dividing: ranks.map { rank * 100 + $0 }) == ranks.map { $0 * 100 + rank })
    demand(try await world.allReduce(rank, .sum) == ranks.reduce(0, +))
    demand(try await world.allReduce("\(rank)", .max) == "\(size - 1)")
    demand(try await world.allReduce(["\(rank)"], ReduceOperator<String> { $0 + $1 })[0].count == size)
    demand(
      try await world.allReduce([Double](repeating: 0.5, count: 100_000), .sum)
        == [Double](repeating: 0.5 * Double(size), count: 100_000))
    demand(try await world.reduceScatter(Array(0..<size), .sum) == [rank * size])
    demand(try await world.scan(rank + 1, .sum) == (rank + 1) * (rank + 2) / 2)
    demand(try await world.scan([rank + 1], .sum) == [(rank + 1) * (rank + 2) / 2])
    let joined = (0...rank).map { "\($0)" }.joined()
    demand(try await world.scan(["\(rank)"], ReduceOperator<String> { $0 + $1 }) == [joined])
    demand(try await world.exclusiveScan(rank + 1, .sum) == (rank == 0 ? nil : rank * (rank + 1) / 2))
    demand(try await world.exclusiveScan([1], .sum) == (rank == 0 ? nil : [rank]))
    demand(try await world.scan("\(rank)", ReduceOperator { $0 + $1 }).count == rank + 1)

    try await inOrder(world)
    try await onSeveralCommunicators(world)
    try await besideMessages(world)
    // A rank that blocks and one that awaits call the same operation.
    let sum = rank % 2 == 0 ? try blockingSum(world) : try await world.allReduce(rank, .sum)
    demand(sum == ranks.reduce(0, +))
    try await world.barrier()
  }

  /// What an operator starts can be ended by SIGTERM, though the thread of the task that awaits it could not be.
  static func signals(_ world: Communicator) async throws {
    let other = try await world.duplicate()
    let isBlocked = try await Task.detached {
      try await other.allReduce(
        [0],
        ReduceOperator<Int> { left, right in
          var mask = sigset_t()
          pthread_sigmask(SIG_BLOCK, nil, &mask)
          return max(left, right, Int(sigismember(&mask, SIGTERM)))
        })
    }.value
    demand(isBlocked == [0])
  }

  private static func blockingSum(_ world: Communicator) throws -> Int {
    try world.allReduce(world.rank, .sum)
  }

  /// Many at a time, called in one order, give what they would one after the other.
  @MainActor private static func inOrder(_ world: Communicator) async throws {
    var tasks: [Task<Int, any Error>] = []
    // On one actor tasks begin in the order in which they were made.
    for number in 0..<50 {
      tasks.append(Task { @MainActor in try await world.allReduce(world.rank * 1000 + number, .sum) })
    }
    let ranks = world.size * (world.size - 1) / 2
    for (number, task) in tasks.enumerated() {
      demand(try await task.value == ranks * 1000 + number * world.size)
    }
  }

  /// Two communicators' operations under way at a time don't wait for each other, whatever their order is.
  private static func onSeveralCommunicators(_ world: Communicator) async throws {
    let (one, other) = (try await world.duplicate(), try await world.duplicate())
    for _ in 0..<20 {
      // The one rank begins with the one, the next with the other.
      async let first = (world.rank % 2 == 0 ? one : other).allReduce(
        [Double](repeating: 1, count: 1000), .sum)
      async let second = (world.rank % 2 == 0 ? other : one).allReduce(
        [Double](repeating: 1, count: 1000), .sum)
      let (left, right) = (try await first, try await second)
      demand(left[0] == Double(world.size) && right[999] == Double(world.size))
    }
  }

  /// What is under way moves on while a rank takes part in a collective operation: the next one sends before it does.
  private static func besideMessages(_ world: Communicator) async throws {
    let next = (world.rank + 1) % world.size
    let previous = (world.rank + world.size - 1) % world.size
    async let large = world.receive([Int].self, from: previous, tag: 30)
    if world.rank % 2 == 0 {
      try await world.send(Array(repeating: world.rank, count: 500_000), to: next, tag: 30)
      try await world.barrier()
    } else {
      async let sent: Void = world.send(Array(repeating: world.rank, count: 500_000), to: next, tag: 30)
      try await world.barrier()
      try await sent
    }
    demand(try await large == Array(repeating: previous, count: 500_000))
  }

  /// Blocking calls: a receive that was started moves on while its rank is in a collective operation.
  static func startedBefore(_ world: Communicator) throws {
    let next = (world.rank + 1) % world.size
    let previous = (world.rank + world.size - 1) % world.size
    for _ in 0..<5 {
      let request = try world.startReceive([Int].self, from: previous, tag: 31)
      // Blocks until the next rank takes it, which is in the operation below by then.
      if world.size > 1 { try world.send(Array(repeating: world.rank, count: 500_000), to: next, tag: 31) }
      demand(try world.allReduce(1, .sum) == world.size)
      if world.size > 1 {
        demand(try request.wait() == Array(repeating: previous, count: 500_000))
      } else {
        demand(request.cancel())
      }
    }
  }

  /// An operation in the middle of another one of the same communicator is an error, blocking or awaited.
  static func outOfTurn(_ world: Communicator) async throws {
    let pair = try await world.split(color: world.rank / 2)!
    let nested = ReduceOperator<Int> { left, right in
      try pair.barrier()
      return left + right
    }
    if pair.size == 2 {
      demand(blockingCode { _ = try pair.allReduce(1, nested) } == .concurrentUse)
      do {
        _ = try await pair.allReduce(1, nested)
        demand(false)
      } catch { demand((error as? MessageError)?.code == .concurrentUse, "\(error)") }
      demand(try await pair.allReduce(1, .sum) == 2)
    }
    try await world.barrier()
  }

  private static func blockingCode(_ body: () throws -> Void) -> MessageError.Code? { code(body) }
}

import Apus
import Glibc

/// Ranks that wait for one another, and such as only seem to.
enum DeadlockScenarios {
  private static func told(_ world: Communicator, _ body: () throws -> Void) {
    do {
      try body()
      demand(false)
    } catch {
      demand((error as? MessageError)?.code == .deadlock, "\(error)")
      print("rank \(world.rank): \(error)")
    }
  }

  /// Each one receives from the one before, and nobody has sent anything. Messages pass when they have been told.
  static func ring(_ world: Communicator) throws {
    let (next, previous) = ((world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size)
    try world.barrier()
    for _ in 0..<2 {
      told(world) { _ = try world.receive(Int.self, from: previous, tag: 5) }
      try world.send(world.rank, to: next)
      demand(try world.receive(Int.self, from: previous) == previous)
    }
  }

  /// Large messages, which all send first.
  static func sends(_ world: Communicator) throws {
    let (next, previous) = ((world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size)
    told(world) { try world.send(Array(repeating: 1, count: 1_000_000), to: next) }
    // All have been told, and have given up: one who received before would get what is still being sent.
    demand(
      try world.sendReceive(world.rank, to: next, tag: 1, Int.self, from: previous, receiveTag: 1) == previous
    )
    // What was given up is no message any more.
    do {
      _ = try world.receive([Int].self, from: previous, tag: 0)
      demand(false)
    } catch { demand((error as? MessageError)?.code == .transport, "\(error)") }
    demand(try world.sendReceive(world.rank, to: next, Int.self, from: previous, receiveTag: 0) == previous)
  }

  /// Rank 0 waits for a message from the last rank, which waits with the others for rank 0.
  static func collective(_ world: Communicator) throws {
    told(world) {
      if world.rank == 0 {
        _ = try world.receive(Int.self, from: world.size - 1, tag: 7)
      } else {
        try world.barrier()
      }
    }
  }

  /// All threads of rank 0 wait, and rank 1.
  static func threads(_ world: Communicator) throws {
    let world = world.rank == 0 ? try Communicator.world(threads: .multiple) : world
    if world.rank == 0 {
      let other = try thread { told(world) { _ = try world.receive(Int.self, from: 1, tag: 1) } }
      told(world) { _ = try world.receive(Int.self, from: 1, tag: 2) }
      pthread_join(other, nil)
    } else {
      told(world) { _ = try world.receive(Int.self, from: 0) }
    }
  }

  // MARK: No deadlocks

  /// Rank 1 does something else for a long time while all others wait for it.
  static func patience(_ world: Communicator) throws {
    if world.rank == 1 {
      usleep(1_000_000)
      var sum = 0
      let end = Communicator.wallClock + 1
      while Communicator.wallClock < end { sum &+= 1 }
      demand(sum > 0)
      for peer in 0..<world.size where peer != 1 { try world.send(3, to: peer) }
    } else {
      demand(try world.receive(Int.self, from: 1) == 3)
    }
  }

  /// Both ranks wait, but another thread of rank 0 will send.
  static func anotherThread(_ world: Communicator) throws {
    guard world.rank == 0 else { return demand(try world.receive(Int.self, from: 0) == 3) }
    let world = try Communicator.world(threads: .multiple)
    let other = try thread {
      usleep(1_500_000)
      try! world.send(3, to: world.rank, tag: 4)
      try! world.send(3, to: 1)
    }
    demand(try world.receive(Int.self, from: 0, tag: 4) == 3)
    pthread_join(other, nil)
  }

  /// Both ranks wait, but a task of rank 0 is on its way.
  static func task(_ world: Communicator) async throws {
    guard world.rank == 0 else { return try blockingly { demand(try world.receive(Int.self, from: 0) == 3) } }
    let late = Task {
      try await Task.sleep(for: .milliseconds(1500))
      try await world.send(3, to: 0, tag: 4)
      try await world.send(3, to: 1)
    }
    demand(try await world.receive(Int.self, from: 0, tag: 4) == 3)
    try await late.value
  }

  private static func blockingly(_ body: () throws -> Void) throws { try body() }
}

/// A thread of its own, which is to be joined.
func thread(_ body: @escaping @Sendable () -> Void) throws -> pthread_t {
  final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  let box = Unmanaged.passRetained(Box(body)).toOpaque()
  let problem = pthread_create(
    &thread, nil,
    {
      Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().body(); return nil
    }, box)
  demand(problem == 0)
  return thread
}

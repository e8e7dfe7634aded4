import Apus
import Dispatch
import Glibc

/// Ranks all of whose tasks wait for one another, and such as only seem to.
enum AwaitedDeadlockScenarios {
  private static func told(_ world: Communicator, _ body: () async throws -> Void) async {
    do {
      try await body()
      demand(false)
    } catch {
      demand((error as? MessageError)?.code == .deadlock, "\(error)")
      print("rank \(world.rank): \(error)")
    }
  }

  /// Each one receives from the one before. What was started and nobody waits for goes on.
  static func ring(_ world: Communicator) async throws {
    let (next, previous) = ((world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size)
    let started = try world.startReceive(Int.self, from: previous, tag: 6)
    await told(world) { _ = try await world.receive(Int.self, from: previous, tag: 5) }
    try await world.send(world.rank, to: next, tag: 6)
    demand(try await started.value == previous)
  }

  /// Two large messages from each, which all send first.
  static func sends(_ world: Communicator) async throws {
    let (next, previous) = ((world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size)
    let block = Array(repeating: 1, count: 1_000_000)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<2 { group.addTask { await told(world) { try await world.send(block, to: next) } } }
    }
    demand(
      try await world.sendReceive(
        world.rank, to: next, tag: 1, Int.self, from: previous, receiveTag: 1) == previous)
  }

  /// Rank 0 waits for a message from the last rank, which waits with the others for rank 0.
  static func collective(_ world: Communicator) async throws {
    await told(world) {
      if world.rank == 0 {
        _ = try await world.receive(Int.self, from: world.size - 1, tag: 7)
      } else {
        try await world.barrier()
      }
    }
  }

  // MARK: No deadlocks

  /// Longer than the patience of the test, and than Dispatch's workers live that have nothing to do.
  private static let long = 7  // seconds

  /// Both ranks wait for rank 0, where something comes after a long time.
  static func later(_ world: Communicator, _ something: @Sendable @escaping () async throws -> Void)
    async throws
  {
    if world.rank == 0 {
      let late = Task {
        try await something()
        for rank in 0..<2 { try await world.send(3, to: rank) }
      }
      demand(try await world.receive(Int.self, from: 0) == 3)
      try await late.value
    } else {
      demand(try await world.receive(Int.self, from: 0) == 3)
    }
  }

  static func sleep() async throws { try await Task.sleep(for: .seconds(long)) }

  static func shortSleeps() async throws {
    for _ in 0..<long * 10 { try await Task.sleep(for: .milliseconds(100), clock: .suspending) }
  }

  /// A child says something in the end.
  static func descriptor() async throws {
    let pipe = popen("sleep \(long); echo now", "r")!
    let source = DispatchSource.makeReadSource(fileDescriptor: fileno(pipe))
    await withCheckedContinuation { continuation in
      source.setEventHandler {
        source.cancel()
        continuation.resume()
      }
      source.activate()
    }
    pclose(pipe)
  }

  static func otherThread() async throws {
    await withCheckedContinuation { continuation in
      do {
        _ = try thread {
          Glibc.sleep(UInt32(long))
          continuation.resume()
        }
      } catch { demand(false) }
    }
  }

  static func work() async throws {
    let end = Communicator.wallClock + Double(long)
    while Communicator.wallClock < end {}
  }
}

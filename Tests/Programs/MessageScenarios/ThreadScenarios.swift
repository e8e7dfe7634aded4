import Apus
import Glibc

/// Several threads of a rank.
enum ThreadScenarios {
  private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  /// Two threads of rank 0 sleep, and one of them takes in what the other waits for. Whoever it is for, hears of it at
  /// once.
  static func wakeOneAnother(_ world: Communicator) throws {
    let world = try Communicator.world(threads: .multiple)
    guard world.rank < 2 else { return }
    let rounds = 41
    if world.rank == 1 {
      for round in 0..<2 * rounds {
        usleep(2000)
        try world.send(Communicator.wallClock, to: 0, tag: round % 2)
        // By the time that it has said so, it sleeps again.
        _ = try world.receive(Int.self, from: 0, tag: round % 2)
      }
      return
    }
    @Sendable func serve(_ tag: Int) throws {
      var late: [Double] = []
      for _ in 0..<rounds {
        let sent = try world.receive(Double.self, from: 1, tag: tag)
        late.append(Communicator.wallClock - sent)
        try world.send(0, to: 1, tag: tag)
      }
      demand(median(late) < 0.05, "\(late)")
    }
    let other = try thread { try! serve(1) }
    try serve(0)
    pthread_join(other, nil)
  }

  /// What a task awaits comes while a thread waits for something else.
  static func tellAtOnce(_ world: Communicator) async throws {
    guard world.rank < 2 else { return }
    let rounds = 21
    if world.rank == 1 {
      for _ in 0..<rounds {
        try await world.send(Communicator.wallClock, to: 0, tag: 1)
        _ = try await world.receive(Int.self, from: 0, tag: 2)
      }
      return try await world.send(0, to: 0, tag: 3)
    }
    let world = try Communicator.world(threads: .multiple)
    let other = try thread { _ = try! world.receive(Int.self, from: 1, tag: 3) }
    var late: [Double] = []
    for _ in 0..<rounds {
      let sent = try await world.receive(Double.self, from: 1, tag: 1)
      late.append(Communicator.wallClock - sent)
      try await Task.sleep(for: .milliseconds(2))
      try await world.send(0, to: 1, tag: 2)
    }
    demand(median(late) < 0.05, "\(late)")
    pthread_join(other, nil)
  }

  /// Two communicators are split at the same time, in another order on each rank.
  static func splits(_ world: Communicator) throws {
    let world = try Communicator.world(threads: .multiple)
    let pair = [try world.duplicate(), try world.duplicate()]
    for round in 0..<50 {
      // Not an array: two threads may not write to one, whatever the elements.
      nonisolated(unsafe) var theirs: Communicator?
      let other = try thread { theirs = try! pair[1].duplicate() }
      if (world.rank + round) % 2 == 0 { usleep(200) }
      let ours = try pair[0].duplicate()
      pthread_join(other, nil)
      let made = [ours, theirs!]
      let (next, previous) = ((world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size)
      for number in [0, 1] { try made[number].send(number, to: next) }
      for number in [1, 0] { demand(try made[number].receive(Int.self, from: previous) == number) }
      try world.barrier()
    }
  }
}

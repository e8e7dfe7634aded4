import Apus
import Glibc

enum DeathScenarios {
  /// The last rank is killed while the others wait for it in different ways.
  static func killed(_ world: Communicator) throws {
    let last = world.size - 1
    if world.rank == last {
      usleep(50_000)
      raise(SIGKILL)
    }
    do {
      switch world.rank % 3 {
      case 0: _ = try world.receive(Int.self, from: last)
      case 1: try world.send(Array(repeating: 1, count: 1_000_000), to: last)
      default: try world.barrier()
      }
    } catch let error as MessageError {
      print("rank \(world.rank) threw \(error.code) of rank \(error.rank ?? -1)")
      exit(3)
    }
  }

  /// Of two ranks that pass long messages, which both of them copy, rank 1 is killed at some instant, or ends `quietly`:
  /// another thread of it calls `exit(0)`.
  static func killedWhileCopying(_ world: Communicator, sends: Bool, quietly: Bool = false) throws {
    let values = [UInt8](repeating: 7, count: 48 << 20)
    // Rank 0 is there.
    if world.rank == 0 { try world.send(0, to: 1) } else { _ = try world.receive(Int.self, from: 0) }
    if world.rank == 1 {
      let delay = useconds_t.random(in: 0..<60_000)
      _ = try thread {
        usleep(delay)
        if quietly { exit(0) }
        kill(getpid(), SIGKILL)
      }
    }
    do {
      while true {
        if (world.rank == 1) == sends {
          try world.send(values, to: 1 - world.rank)
        } else {
          demand(try world.receive([UInt8].self, from: 1 - world.rank) == values)
        }
      }
    } catch let error as MessageError {
      // Its other thread is ending the program.
      while quietly, world.rank == 1 { pause() }
      print("rank \(world.rank) threw \(error.code) of rank \(error.rank ?? -1)")
      exit(3)
    }
  }

  /// The last rank is killed while the others only ever ask whether something has happened.
  static func killedWhilePolled(_ world: Communicator) throws {
    let last = world.size - 1
    if world.rank == last {
      usleep(50_000)
      raise(SIGKILL)
    }
    do {
      switch world.rank % 3 {
      case 0:
        let request =
          world.rank == 0 ? try world.startReceive(Int.self) : try world.startReceive(Int.self, from: last)
        while try !request.test() {}
        _ = try request.wait()
      case 1:
        let request = try world.startSend(Array(repeating: 1, count: 1_000_000), to: last)
        while try !request.test() {}
        try request.wait()
      default: while try world.probeIfAny(from: last) == nil {}
      }
    } catch let error as MessageError {
      print("rank \(world.rank) threw \(error.code) of rank \(error.rank ?? -1)")
      exit(3)
    }
  }

  /// The same once there is a thread that moves things on, and has nothing to do.
  static func killedWhilePolledLater(_ world: Communicator) async throws {
    try await world.barrier()
    try killedWhilePolled(world)
  }

  /// Rank 1 ends in good order while rank 0 waits for a message from it, and after it has sent one.
  static func ended(_ world: Communicator) throws {
    guard world.rank == 0 else {
      if world.rank == 1 { try world.send("last words", to: 0) }
      return
    }
    usleep(50_000)
    print(try world.receive(String.self, from: 1))
    demand(code { _ = try world.receive(String.self, from: 1) } == .rankEnded)
    demand(code { _ = try world.receive(String.self, from: .any) } == .rankEnded)
    demand(code { while try world.probeIfAny(from: 1) == nil {} } == .rankEnded)
  }

  /// Rank 1 ends at once; whatever rank 0 has for it is an error, blocking or awaited, and rank 0 goes on.
  static func receiverEnded(_ world: Communicator) async throws {
    guard world.rank == 0 else { return }
    usleep(50_000)
    try sendToEnded(world)
    do {
      try await world.send(Array(repeating: 1, count: 1_000_000), to: 1)
      demand(false)
    } catch { demand((error as? MessageError)?.code == .rankEnded, "\(error)") }
    do {
      _ = try await world.receive(Int.self, from: 1)
      demand(false)
    } catch { demand((error as? MessageError)?.code == .rankEnded, "\(error)") }
  }

  private static func sendToEnded(_ world: Communicator) throws {
    demand(code { try world.send(Array(repeating: 1, count: 1_000_000), to: 1) } == .rankEnded)
    demand(code { for number in 0..<1000 { try world.send(number, to: 1) } } == .rankEnded)
  }

  /// What was started and not waited for arrives although its sender has come to its end.
  static func leavesThingsBehind(_ world: Communicator) throws {
    if world.rank == 0 {
      usleep(20_000)
      for number in 0..<200 { demand(try world.receive(Int.self, from: 1, tag: 1) == number) }
      demand(try world.receive([Int].self, from: 1, tag: 2).count == 500_000)
    } else if world.rank == 1 {
      left.append(contentsOf: try (0..<200).map { try world.startSend($0, to: 0, tag: 1) })
      last = try world.startSend(Array(0..<500_000), to: 0, tag: 2)
    }
  }
  nonisolated(unsafe) private static var left: [SendRequest<Int>] = []
  nonisolated(unsafe) private static var last: SendRequest<[Int]>?

  /// A rank that only looks whether something has come moves on what it started.
  static func polls(_ world: Communicator) throws {
    if world.rank == 0 {
      let requests = try (0..<100).map { try world.startSend($0, to: 1) }
      while try world.probeIfAny(from: 1) == nil {}
      demand(try world.receive(Int.self, from: 1) == 99 * 50)
      for request in requests { try request.wait() }
    } else if world.rank == 1 {
      var sum = 0
      for _ in 0..<100 { sum += try world.receive(Int.self, from: 0) }
      try world.send(sum, to: 0)
    }
  }

  static func waitsForItself(_ world: Communicator) throws {
    demand(code { _ = try world.receive(Int.self, from: world.rank) } == .deadlock)
    try world.send(1, to: world.rank)
    demand(try world.receive(Int.self, from: .any) == 1)
    // One at a time, so that nobody has gone while others pass this.
    try world.barrier()
  }

  static func abort(_ world: Communicator) throws {
    if world.rank == 0 { world.abort(7) }
    _ = try world.receive(Int.self, from: 0)
  }

  /// Prints the processor time in milliseconds of a receive that is blocked for a second.
  static func blocked(_ world: Communicator) throws {
    if world.rank == 0 {
      let before = processorTime()
      _ = try world.receive(Int.self, from: 1)
      print("blocked \(processorTime() - before)")
    } else {
      sleep(1)
      try world.send(1, to: 0)
    }
  }

  static func processorTime() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }
}

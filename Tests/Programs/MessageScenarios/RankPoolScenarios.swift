import Apus
import ApusSystem
import Glibc

// Pools over ranks. Each scenario runs on every rank.
enum RankPoolScenarios {
  struct Odd: Error, Codable, Equatable { var number: Int }
  struct Point: Codable, Sendable, Equatable {
    var name: String
    var x: Double
  }

  static func checked(_ number: Int) throws -> Int {
    if number % 2 == 1 { throw Odd(number: number) }
    return number / 2
  }
  static func moved(_ by: Double, _ point: Point) -> Point { Point(name: point.name + "'", x: point.x + by) }
  static func doubled(_ values: [Double]) -> [Double] { values.map { $0 * 2 } }
  static func length(_ text: String) async throws -> Int {
    try await Task.sleep(for: .milliseconds(1))
    return text.count
  }
  static func place(_ milliseconds: Int) -> Int32 {
    usleep(UInt32(milliseconds) * 1000)
    return getpid()
  }

  /// Every call, on plain and encoded values; twice, since a pool ends without a trace.
  static func calls(_ world: Communicator, workers: Int = 0) async throws {
    for round in 0..<2 {
      let answer = try await withRankPool(world, workersPerRank: workers) { pool in
        demand(pool.workerCount == workers + (world.size - 1) * max(1, workers))
        try await calls(pool)
        return round
      }
      demand(answer == (world.rank == 0 ? round : nil))
    }
    try blocking(world, workers)
    let sum = try await total(world)
    demand(sum == world.size)
  }

  private static let prepared = WorkerLocal<String>()

  /// Hooks, settings of the workers, a place for their output, keys, modifiers and counters: on each rank as in a pool of its
  /// own.
  static func prepared(_ world: Communicator) async throws {
    let lines = Locked<[WorkerLine]>([])
    let rounds = Locked(0)
    var configuration = ProcessPool.Configuration()
    (configuration.name, configuration.seed) = ("prepared", 5)
    configuration.environment = ["RANK_OF_MINE": "\(world.rank)"]
    configuration.output = .handler { line in lines.withLock { $0.append(line) } }
    configuration.onWorkerStart(with: "hook") { word in
      prepared.set(word + (environment("RANK_OF_MINE") ?? ""))
    }
    configuration.onWorkerExit { print("ended") }
    _ = try await withRankPool(world, workersPerRank: 1, configuration: configuration) { pool in
      // Each worker has called the hook, and has its rank's environment. A slow one may come late to the tasks.
      let known = Set((0..<world.size).map { "hook\($0)" })
      var words: Set<String> = []
      repeat {
        words.formUnion(
          try await pool.map(0..<40 * world.size, chunking: .fixed(1)) { number -> String in
            print("task \(number)")
            usleep(2000)
            return try prepared.withValue { $0 }
          })
        rounds.withLock { $0 += 1 }
      } while words.isStrictSubset(of: known)
      demand(words == known, "\(words)")
      var places: [String: Set<Int>] = [:]
      for round in 0..<10 {
        for key in ["a", "b", "c"] {
          places[key, default: []].insert(try await pool.withKey(key).run(round) { _ in PoolTask.worker! })
        }
      }
      demand(places.values.allSatisfy { $0.count == 1 }, "\(places)")
      do {
        _ = try await pool.withDeadline(.milliseconds(200)).run(2_000_000) { time in
          usleep(UInt32(time))
          return 1
        }
        demand(false)
      } catch let error as TaskError { demand(error.code == .deadlineExceeded, "\(error)") }
      let all = pool.statistics
      let mapped = 40 * world.size * rounds.withLock { $0 }
      demand(all.submitted == mapped + 31 && all.failed == 1 && all.queued == 0, "\(all)")
      demand(all.succeeded == all.submitted - 1 && all.workers.count == world.size)
    }
    let had = lines.withLock { $0 }
    let tasks = had.filter { $0.text.hasPrefix("task ") }
    let ended = had.filter { $0.text == "ended" }
    demand(!tasks.isEmpty && tasks.count + ended.count == had.count, "\(had)")
    // One was killed, and what took its place may not have been ready at the end.
    let exits = try await counted(world, ended.count)
    demand(exits == world.size || exits == world.size - 1, "\(exits)")
    demand(had.allSatisfy { $0.worker == 0 })
    // Rank 0 alone knows which task it is.
    demand(world.size == 1 || had.allSatisfy { $0.call == nil || world.rank == 0 })
    let count = try await counted(world, tasks.count)
    let expected = try await counted(world, 40 * world.size * rounds.withLock { $0 })
    demand(count == expected, "\(count)")
  }

  private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  private static func counted(_ world: Communicator, _ number: Int) async throws -> Int {
    func blocking() throws -> Int { try world.allReduce(number, .sum) }
    return try blocking()
  }

  /// The world is as good as before.
  private static func total(_ world: Communicator) async throws -> Int {
    func blocking() throws -> Int { try world.allReduce(1, .sum) }
    return try blocking()
  }

  private static func calls(_ pool: ProcessPool) async throws {
    let squares = try await pool.map(0..<20_000) { $0 &* $0 }
    demand(squares == (0..<20_000).map { $0 * $0 })
    let points = (0..<500).map { Point(name: "p\($0)", x: Double($0)) }
    demand(try await pool.map(points, with: 0.5, moved) == points.map { moved(0.5, $0) })
    demand(try await pool.map(["a", "bb", ""], length) == [1, 2, 0])
    let large = Array(repeating: 1.5, count: 300_000)
    demand(try await pool.map([large, [], large], doubled) == [doubled(large), [], doubled(large)])

    let outcomes = await pool.outcomes(of: 0..<100, checked)
    for (number, outcome) in outcomes.enumerated() {
      switch outcome {
      case .success(let half): demand(number % 2 == 0 && half == number / 2)
      case .failure(let error):
        demand(error.code == .thrown && error.task == number, "\(error)")
        demand(error.underlyingError as? Odd == Odd(number: number), "\(error)")
      }
    }
    do {
      _ = try await pool.map(1..<5, checked)
      demand(false)
    } catch let error as TaskError {
      // The first that came, of the two that fail.
      demand([0, 2].contains(error.task) && error.code == .thrown, "\(error)")
    }

    // Drawn as they are needed.
    var drawn = 0
    var seen = 0
    let endless = sequence(first: 0) {
      drawn += 1
      return $0 + 1
    }
    for try await value in pool.results(of: endless, { "\($0)" }) {
      demand(value == "\(seen)")
      seen += 1
      demand(drawn - seen <= 8 * max(1, pool.workerCount), "\(drawn) drawn, \(seen) seen")
      if seen == 2000 { break }
    }
    demand(try await pool.run(21) { $0 * 2 } == 42)
    let handle = pool.submit("four", length)
    demand(try await handle.value == 4)
    demand(try await pool.first(in: 0..<10_000) { $0 > 700 } == 701)
  }

  private static func blocking(_ world: Communicator, _ workers: Int) throws {
    let sizes = try withRankPool(world, workersPerRank: workers) { pool in
      demand(try pool.map(0..<1000) { $0 + 1 } == Array(1...1000))
      return try pool.map(["x", "yy"]) { $0.utf8.count }
    }
    demand(sizes == (world.rank == 0 ? [1, 2] : nil))
  }

  /// Long tasks are spread over all workers, and those behind a long one go elsewhere.
  static func spread(_ world: Communicator) async throws {
    try await withRankPool(world) { pool in
      let places = try await pool.map(Array(repeating: 20, count: 12), place)
      demand(Set(places).count == max(1, world.size - 1), "\(places)")
      // What looks short to begin with, and is long then.
      let times = (0..<600).map { $0 < 500 ? 0 : $0 % 25 == 0 ? 40 : 0 }
      let later = try await pool.map(times, place)
      demand(later.count == 600 && Set(later).count == max(1, world.size - 1))
    }
  }

  /// A task that crashes in a rank's worker process is one task's error; so is one that is killed for being late.
  static func crash(_ world: Communicator) async throws {
    try await withRankPool(world, workersPerRank: 1) { pool in
      let outcomes = await pool.outcomes(of: 0..<60) { number in
        if number % 20 == 7 { raise(SIGKILL) }
        return number
      }
      for (number, outcome) in outcomes.enumerated() {
        switch outcome {
        case .success(let value): demand(value == number && number % 20 != 7)
        case .failure(let error):
          demand(number % 20 == 7 && error.code == .workerDied, "\(error)")
          demand(error.status == .signalled(SIGKILL, coreDumped: false), "\(error)")
        }
      }
      let late = await pool.outcomes(of: [0, 60_000, 0, 0], timeLimit: .milliseconds(200), place)
      demand((try? late[1].get()) == nil && late.count { (try? $0.get()) != nil } == 3, "\(late)")
      if case .failure(let error) = late[1] { demand(error.code == .timeLimitExceeded, "\(error)") }
      demand(try await pool.map([1, 2, 3]) { $0 + 1 } == [2, 3, 4])
    }
  }

  /// A task that does not stop counts as failed, and the others go on.
  static func late(_ world: Communicator) async throws {
    try await withRankPool(world) { pool in
      let outcomes = await pool.outcomes(of: [1500, 0, 0, 0], timeLimit: .milliseconds(100), place)
      guard world.size > 1 else { return }  // limits do not act in the caller
      if case .failure(let error) = outcomes[0] {
        demand(error.code == .timeLimitExceeded, "\(error)")
        print(error.message)
      } else {
        demand(false)
      }
      demand(outcomes.count { (try? $0.get()) != nil } == 3)
      // One that asks gives up in time.
      let polite = await pool.outcomes(of: [1], timeLimit: .milliseconds(100)) { number in
        while number > 0 { try PoolTask.checkCancellation() }
        return number
      }
      if case .failure(let error) = polite[0] { demand(error.code == .timeLimitExceeded, "\(error)") }
      demand(polite.count == 1 && (try? polite[0].get()) == nil)
    }
  }

  /// A rank whose task goes on for longer than a worker may take to be ready serves again when that has ended.
  static func held(_ world: Communicator) async throws {
    var configuration = ProcessPool.Configuration()
    (configuration.startUpLimit, configuration.gracePeriod) = (.milliseconds(300), .milliseconds(20))
    try await withRankPool(world, configuration: configuration) { pool in
      let outcomes = await pool.outcomes(of: [1500, 0, 0, 0], timeLimit: .milliseconds(100), place)
      if case .failure(let error) = outcomes[0] { demand(error.code == .timeLimitExceeded, "\(error)") }
      var places: Set<Int32> = []
      while places.count < world.size - 1 {
        places.formUnion(try await pool.map(Array(repeating: 20, count: 12), place))
      }
    }
  }

  /// A cancelled call gives the ranks back at once.
  static func cancelled(_ world: Communicator) async throws {
    try await withRankPool(world, workersPerRank: 1) { pool in
      let call = Task { try await pool.map(Array(repeating: 60_000, count: 50), place) }
      try await Task.sleep(for: .milliseconds(100))
      call.cancel()
      do {
        _ = try await call.value
        demand(false)
      } catch { demand(error is CancellationError, "\(error)") }
      demand(try await pool.map(0..<50) { $0 } == Array(0..<50))
    }
  }

  static func nested(_ world: Communicator) async throws {
    try await withRankPool(world) { pool in
      if world.size > 1 { demand(try await pool.run(1, nestedPool) == "invalidArgument") }
      do {
        try await withRankPool(world) { _ in }
        demand(false)
      } catch { demand((error as? MessageError)?.code == .invalidArgument, "\(error)") }
    }
  }
  static func nestedPool(_ number: Int) async -> String {
    do {
      try await withRankPool(Communicator.world()) { _ in }
      return "made"
    } catch { return (error as? MessageError)?.code.description ?? "\(error)" }
  }

  /// What is wrong on one rank, all are told.
  static func invalid(_ world: Communicator) async throws {
    do {
      try await withRankPool(world, workersPerRank: world.rank == world.size - 1 ? -1 : 0) { _ in }
      demand(false)
    } catch {
      demand(world.rank == world.size - 1 ? error is TaskError : error is MessageError, "\(error)")
    }
  }

  /// The body throws: it comes out on rank 0, and the others are free.
  static func throwing(_ world: Communicator) async throws {
    do {
      let answer: Int? = try await withRankPool(world) { pool in
        let long = pool.submit(1000, place)
        while long.state == .pending { try await Task.sleep(for: .milliseconds(1)) }
        demand(long.state == .running || world.size == 1)
        throw Odd(number: 3)
      }
      demand(world.rank > 0 && answer == nil)
    } catch { demand(world.rank == 0 && error as? Odd == Odd(number: 3), "\(error)") }
  }

  /// A rank dies in a task: by a signal, or because the task ends its process in good order.
  static func dies(_ world: Communicator, bySignal: Bool) async throws {
    do {
      try await withRankPool(world) { pool in
        let inputs = (0..<100).map { $0 == 50 ? (bySignal ? 1 : 2) : 0 }
        _ = try await pool.map(inputs) { input in
          if input == 1 { raise(SIGKILL) }
          if input == 2 { exit(0) }
          usleep(1000)
          return input
        }
        demand(false)
      }
    } catch let error as TaskError {
      print("rank \(world.rank): \(error.code): \(error.message)")
      exit(3)
    } catch let error as MessageError {
      print("rank \(world.rank): \(error.code)")
      exit(3)
    }
  }

  /// Prints the processor time in milliseconds that rank 0 takes while a task takes a second.
  static func waits(_ world: Communicator) async throws {
    try await withRankPool(world) { pool in
      _ = try await pool.map([1, 1], place)
      let before = DeathScenarios.processorTime()
      _ = try await pool.map([1000], place)
      print("waited \(DeathScenarios.processorTime() - before)")
    }
  }

  /// Prints how long some usual loads take.
  static func times(_ world: Communicator) async throws {
    try await withRankPool(world) { pool in
      let clock = ContinuousClock()
      _ = try await pool.map(0..<1000) { $0 }
      for count in [1000, 100_000, 5_000_000] {
        let time = try await clock.measure { _ = try await pool.map(0..<count) { $0 &+ 1 } }
        print("map of \(count) numbers: \(time)")
      }
      let strings = (0..<100_000).map { "\($0)" }
      let time = try await clock.measure { _ = try await pool.map(strings) { $0 + "!" } }
      print("map of 100000 strings: \(time)")
      let single = try await clock.measure {
        for number in 0..<1000 { _ = try await pool.run(number) { $0 } }
      }
      print("one call: \(single / 1000)")
      let block = Array(repeating: 1.0, count: 1 << 20)
      let moved = try await clock.measure { _ = try await pool.map([block, block, block, block], doubled) }
      print("8 MiB there and back: \(moved / 4)")
    }
  }
}

import Apus
import Glibc
import Synchronization

// What a pool over ranks did wrong once in many rounds: as many as the second argument says.
enum RankPoolRaces {
  static var rounds: Int { CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 0 : 0 }

  // MARK: A task that is given up just as it ends

  /// How often each task has begun on this rank.
  private static let begun = Mutex<[Int: Int]>([:])
  private static let limit = 800  // µs, and as long a grace

  private static func busy(_ microseconds: Int) {
    let end = Communicator.wallClock + Double(microseconds) * 1e-6
    while Communicator.wallClock < end {}
  }

  private static func busied(_ microseconds: Int) -> Int {
    busy(microseconds)
    return microseconds
  }

  /// The first of each four takes about its limit and its grace. They sleep, so that many jobs can run at once.
  private static func note(_ task: Int) -> Int {
    begun.withLock { $0[task, default: 0] += 1 }
    usleep(UInt32(task % 4 > 0 ? 100 : limit * 2 + task / 4 * 37 % 600 - 300))
    return task
  }

  /// No task begins twice that was not to be tried again.
  static func once(_ world: Communicator) async throws {
    let rounds = rounds > 0 ? rounds : 200
    var configuration = ProcessPool.Configuration()
    configuration.gracePeriod = .microseconds(limit)
    try await withRankPool(world, configuration: configuration) { pool in
      for round in 0..<rounds {
        let tasks = round * 4..<round * 4 + 4
        let outcomes = await pool.outcomes(
          of: tasks, chunking: .fixed(4), timeLimit: .microseconds(limit), note)
        for (task, outcome) in zip(tasks, outcomes) {
          if case .success(let value) = outcome {
            demand(value == task, "task \(task) gave \(value): \(outcomes)")
          }
        }
      }
    }
    let counts = begun.withLock { begun in (0..<rounds * 4).map { begun[$0, default: 0] } }
    let total = try await world.allReduce(counts, .sum)
    let twice = total.indices.filter { total[$0] > 1 }
    demand(twice.isEmpty, "begun twice: \(twice)")
  }

  // MARK: Messages beside the pool

  /// Tasks of rank 0 send more than there is room for and wait until it is gone, with calls of the pool under way below
  /// them, and are cancelled: cancelling holds a task's lock while it comes to the pool, and the pool sends.
  static func beside(_ world: Communicator) async throws {
    let rounds = rounds > 0 ? rounds : 40
    let talk = try await world.duplicate()
    guard world.size > 1 else { return }
    let group = 40
    let peer = Task {
      guard world.rank == 1 else { return }
      for _ in 0..<rounds * group {
        let block = try await talk.receive([Int].self, from: 0)
        demand(block.count == 3000 && block.last == block.first)
      }
    }
    try await withRankPool(world) { pool in
      let others = (0..<3).map { _ in
        Task { while !Task.isCancelled { _ = try? await pool.run(7) { $0 + 1 } } }
      }
      for round in 0..<rounds {
        let tasks = (0..<group).map { number in
          Task {
            async let below = pool.run(50, busied)
            try await talk.send(Array(repeating: number, count: 3000), to: 1)
            _ = try? await below
          }
        }
        for (number, task) in tasks.enumerated() {
          busy((round + number) * 7 % 40)
          task.cancel()
        }
        for task in tasks { try await task.value }
      }
      for task in others { task.cancel() }
      for task in others { await task.value }
    }
    try await peer.value
  }
}

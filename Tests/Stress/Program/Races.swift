import Apus
import ApusCore
import Glibc
import PoolStressSaboteur
import StressSupport

/// Moments that come by chance, a few in a thousand rounds, and must do no harm: a task that ends when its worker is
/// about to be killed, a worker that is stopped while something large is on its way to it, a consumer that is cancelled
/// while an input arrives.
struct Races: Scenario {
  private let findings: Findings
  private let rounds = Settings.number("rounds", default: 200)
  private var random = Random(Settings.seed)
  private var cancelled = 0

  init(_ findings: Findings) { self.findings = findings }

  mutating func run() async throws {
    let only = Settings.text("race")
    if only.isEmpty || only == "limits" { try await limits() }
    if only.isEmpty || only == "stopped" { try await headOfLine() }
    if only.isEmpty || only == "inputs" { try await inputs() }
    findings.figure("rounds", rounds)
  }

  // MARK: A task ends at its limit plus grace, with others behind it

  /// In several pools at a time, since their tasks sleep.
  private mutating func limits() async throws {
    let lanes = min(rounds, 2 * Processors.available)
    let seeds = (0..<lanes).map { _ in random.next() }
    let (killed, late) = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
      for (lane, seed) in seeds.enumerated() {
        let share = rounds / lanes + (lane < rounds % lanes ? 1 : 0)
        group.addTask { [findings] in try await Self.limits(rounds: share, Random(seed), findings) }
      }
      return try await group.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
    }
    findings.figure("killed", killed)
    findings.figure("late", late)
  }

  private static func limits(
    rounds: Int, _ chance: Random, _ findings: Findings
  ) async throws -> (killed: Int, late: Int) {
    var random = chance
    var configuration = ProcessPool.Configuration()
    let (limit, grace) = (1500, 500)  // µs
    configuration.gracePeriod = .microseconds(grace)
    let pool = try ProcessPool(workers: 1, configuration: configuration)
    var (killed, late) = (0, 0)
    for _ in 0..<rounds {
      let last = limit + grace + random.below(3000) - 500
      let outcomes = await pool.outcomes(
        of: [last, 100, 100, 100], chunking: .fixed(4), timeLimit: .microseconds(limit)
      ) { (microseconds: Int) -> Int in
        rest(microseconds)
        return microseconds
      }
      for (index, outcome) in outcomes.enumerated() {
        guard case .failure(let error) = outcome else { continue }
        if index == 0, error.code == .timeLimitExceeded {
          killed += error.status == nil ? 0 : 1
        } else if error.code == .timeLimitExceeded {
          late += 1  // the machine was busy
        } else {
          findings.violation("a short task behind one past its limit failed: \(error)")
        }
      }
    }
    await pool.shutdown()
    return (killed, late)
  }

  // MARK: The worker that gets the next task is stopped

  private mutating func headOfLine() async throws {
    var configuration = ProcessPool.Configuration()
    configuration.gracePeriod = .seconds(3600)
    let pool = try ProcessPool(workers: 2, configuration: configuration)
    let numbers = [Int](repeating: 3, count: 1 << 17)  // 1 MiB
    for _ in 0..<rounds {
      try await bothReady(pool)
      let stopped = pool.processIdentifiers[0]
      stop(stopped)
      switch random.below(3) {
      case 0:  // it is being told of a function
        let told = pool.submit(7, with: numbers) { $0[$1] }
        let others = (0..<4).map { pool.submit($0, plainRespond) }
        let isFree = eventually { (others.map(\.state) + [told.state]).allSatisfy { $0 == .finished } }
        findings.check(isFree, "calls wait for a worker that is being told of a function")
        _ = stress_signal_worker(stopped, SIGCONT)
        findings.check(try await told.value == 3, "the context is wrong")
        for (index, other) in others.enumerated() {
          findings.check(try await other.value == value(of: index), "a short task's value is wrong")
        }
      case 1:  // an argument is on its way to it
        let sum = pool.submit(numbers) { $0.reduce(0, +) }
        findings.check(eventually { sum.state == .finished }, "a large argument is not taken back")
        _ = stress_signal_worker(stopped, SIGCONT)
        findings.check(try await sum.value == 3 << 17, "the sum is wrong")
      default:  // the same, nobody else could take it, and it is cancelled
        let other = pool.processIdentifiers[1]
        stop(other)
        let task = cancelled
        cancelled += 1
        let handle = pool.submit(numbers, with: task) { (task, numbers: [Int]) in
          Counters.shared.begin(task)
          return numbers.count
        }
        // While it is told of the function the task is not even on its way: both happen.
        if random.below(2) == 0 { usleep(UInt32(random.below(500))) }
        handle.cancel()
        for worker in [stopped, other] { _ = stress_signal_worker(worker, SIGCONT) }
        let result = await Task { try await handle.value }.result
        if case .success = result { findings.violation("a cancelled task has a value") }
      }
    }
    try await bothReady(pool)
    for task in 0..<cancelled where Counters.shared.begins(task) > 0 {
      findings.violation("task \(task) has run, which was cancelled while it waited")
    }
    findings.figure("cancelled", cancelled)
    await pool.shutdown()
  }

  /// Waits until both workers have done a task of a call.
  private func bothReady(_ pool: ProcessPool) async throws {
    for _ in 0..<1000 {
      let workers = try await pool.map(0..<6, chunking: .fixed(1)) { (_: Int) -> Int32 in
        spin(nanoseconds: 200_000)
        return getpid()
      }
      if Set(workers).count == 2 { return }
    }
    findings.violation("a worker that was stopped and continued works no more")
  }

  /// Stops a worker, and returns when it stands.
  private func stop(_ worker: Int32) {
    _ = stress_signal_worker(worker, SIGSTOP)
    _ = eventually { state(of: worker) == "T" }
  }

  // MARK: A consumer in a pool without workers

  private mutating func inputs() async throws {
    let pool = try ProcessPool(workers: 0)
    for _ in 0..<rounds {
      let (stream, source) = AsyncStream.makeStream(of: Int.self)
      let consumer = Task {
        var seen = 0
        for try await _ in pool.results(of: stream, plainRespond) { seen += 1 }
        return seen
      }
      for number in 0..<random.below(4) { source.yield(number) }
      usleep(UInt32(random.below(60)))
      consumer.cancel()
      // Nothing comes any more: one that waits for it waits for ever, and the script sees the hang.
      let result = await consumer.result
      if case .failure(let error) = result, !(error is CancellationError) {
        findings.violation("a cancelled consumer threw \(error)")
      }
      source.finish()
    }
  }
}

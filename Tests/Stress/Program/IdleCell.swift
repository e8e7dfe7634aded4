import Apus
import Glibc
import PoolStressSaboteur
import StressSupport

/// The column of the table whose failure happens in a worker that has nothing to do.
struct IdleCell: Scenario {
  private let findings: Findings
  private let failure = Failure(named: Settings.text("failure"))
  private let isBlocking = Settings.isBlocking

  init(_ findings: Findings) { self.findings = findings }

  func run() async throws {
    // The next tasks come after the failure, or at once, or in a moment.
    for (round, label) in ["after it", "at once", "a moment later"].enumerated() {
      try await one(round, label)
    }
  }

  // A pool a round: a worker that was stopped and then never given a task with a limit would stay.
  private func one(_ round: Int, _ label: String) async throws {
    var configuration = ProcessPool.Configuration()
    configuration.events = EventStream()
    let ended = Lives()
    let subscription = configuration.events.subscribe { ended.note($0) }
    let pool = try ProcessPool(workers: 2, configuration: configuration)
    let before = Batch(base: round * 1000)
    before.check(try await before.outcomes(pool, blocking: isBlocking), findings, "before it")
    let victim = try await act(on: pool, milliseconds: round == 0 ? 20 : 1)
    if round == 0 { waitUntilFailed(victim, ended) }
    if round == 2 { usleep(1000) }
    try await tasksAfter(round, pool, label)
    if failure.isDeadly {
      let isTold = eventually { ended.status(of: victim) != nil }
      findings.check(
        isTold && failure.explains(ended.status(of: victim)),
        "\(label): the death of \(victim) is told wrongly")
    }
    findings.check(eventually { pool.processIdentifiers.count == 2 }, "\(label): the pool has lost its width")
    await pool.shutdown()
    subscription.cancel()
  }

  /// Has an idle worker fail: from outside where that is possible, else by a thread that a task left behind.
  private func act(on pool: ProcessPool, milliseconds: Int) async throws -> Int32 {
    switch failure {
    case .kill, .stop:
      let victim = pool.processIdentifiers.first!
      findings.check(
        stress_signal_worker(victim, failure == .kill ? SIGKILL : SIGSTOP) != 0, "\(victim) is no worker")
      return victim
    default: return try await leftBehind(pool, milliseconds)
    }
  }

  /// On a busy machine the failure may come before the result of the task that has left it behind.
  private func leftBehind(_ pool: ProcessPool, _ milliseconds: Int) async throws -> Int32 {
    do {
      return Int32(try await pool.run([Int(failure.rawValue), milliseconds], leaveBehind))
    } catch let error as TaskError where milliseconds < 10_000 && failure.explains(error, thrown: .thrown) {
      return try await leftBehind(pool, 10 * milliseconds)
    }
  }

  private func waitUntilFailed(_ victim: Int32, _ ended: Lives) {
    if failure.isDeadly {
      findings.check(eventually { ended.status(of: victim) != nil }, "\(victim) did not end")
    } else if failure == .stop {
      findings.check(eventually { state(of: victim) == "T" }, "\(victim) did not stop")
    } else {
      usleep(100_000)
    }
  }

  /// A worker that stopped or loops may be given a task before that shows; the task then hits its limit, or
  /// goes to another worker. None may be run twice.
  private func tasksAfter(_ round: Int, _ pool: ProcessPool, _ label: String) async throws {
    let batch = Batch(base: round * 1000 + 500)
    let limit = failure.hangs ? Settings.limit : nil
    let outcomes = try await batch.outcomes(pool, blocking: isBlocking, limit: limit)
    let counts = RunLog.counts()
    var failures = 0
    for (index, outcome) in outcomes.enumerated() {
      let runs = counts[batch.base + index, default: 0]
      findings.check(runs <= 1, "\(label): task \(index) ran \(runs) times")
      switch outcome {
      case .success(let answer):
        let isRight = runs == 1 && answer.value == value(of: batch.base + index)
        findings.check(isRight, "\(label): task \(index) has a wrong result, and ran \(runs) times")
      case .failure(let error):
        failures += 1
        // Only one that was being run, or handed over, when the worker failed.
        let isExplained = round > 0 || failure.hangs ? failure.explains(error, thrown: .thrown) : false
        findings.check(isExplained && failures == 1, "\(label): task \(index) was lost: \(error)")
      }
    }
  }
}

/// Leaves something behind in the worker that fails in a moment. Returns the worker's process identifier.
func leaveBehind(_ plan: [Int]) throws -> Int {
  let failure = Failure(rawValue: Int32(plan[0]))!
  if failure == .throw {
    Task.detached { throw Failure.Sabotage(text: "thrown at nobody") }
  } else {
    // A loop on a thread of its own would hold up nobody: it is the worker's own thread that gets stuck.
    stress_later(failure.rawValue, Int32(plan[1]), failure == .loop)
  }
  return Int(getpid())
}

import Apus
import Glibc
import StressSupport

/// Thousands of tasks on workers that are replaced every few tasks, some of which crash, beside single calls.
struct Recycling: Scenario {
  private let findings: Findings
  private let count = Settings.number("tasks", default: 2000)

  init(_ findings: Findings) { self.findings = findings }

  func run() async throws {
    try await replacedEverySeven()
    try await withCrashes()
  }

  /// Its control socket, its two streams, and its process.
  private static let connectionsOfAWorker = 4

  private func replacedEverySeven() async throws {
    var configuration = ProcessPool.Configuration()
    configuration.tasksPerWorker = 7
    let pool = try ProcessPool(workers: 2, configuration: configuration)
    let others = connections() - 2 * Self.connectionsOfAWorker
    let results = try await pool.map(0..<count, chunking: .fixed(1), plainRespond)
    for (index, result) in results.enumerated() where result != value(of: index) {
      findings.violation("task \(index) has a wrong result")
    }
    let statistics = pool.statistics
    findings.check(
      statistics.submitted == count && statistics.succeeded == count && statistics.restarts == 0,
      "the counters are wrong: \(statistics)")
    findings.check(
      abs(statistics.recycled - count / 7) <= 4,
      "\(statistics.recycled) workers were replaced for \(count) tasks")
    findings.check(
      eventually {
        connections() == others + Self.connectionsOfAWorker * pool.processIdentifiers.count
      },
      "descriptors are left of replaced workers")
    await pool.shutdown()
    findings.check(connections() == others, "descriptors are left of a pool's workers")
    findings.figure("replaced", statistics.recycled)
  }

  private func withCrashes() async throws {
    var configuration = ProcessPool.Configuration()
    (configuration.tasksPerWorker, configuration.backtraces) = (7, .off)
    let pool = try ProcessPool(workers: 2, configuration: configuration)
    let outcomes = await pool.outcomes(of: 0..<count, chunking: .fixed(3)) { (index: Int) -> Int in
      if index % 50 == 17 { abort() }
      return value(of: index)
    }
    for (index, outcome) in outcomes.enumerated() {
      switch outcome {
      case .success(let result):
        findings.check(index % 50 != 17 && result == value(of: index), "task \(index) has a wrong result")
      case .failure(let error):
        findings.check(index % 50 == 17 && error.code == .workerDied, "task \(index) was lost: \(error)")
      }
    }
    await pool.shutdown()
    let end = pool.statistics
    findings.check(
      end.submitted == count && end.queued + end.running == 0 && end.succeeded + end.failed == count,
      "the counters don't add up: \(end)")
  }
}

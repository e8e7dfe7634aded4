import Apus
import Glibc
import StressSupport

/// The columns of the table whose failure happens in a worker's start hook, or in its exit hook.
struct HookCell: Scenario {
  private let findings: Findings
  private let failure = Failure(named: Settings.text("failure"))
  private let isBlocking = Settings.isBlocking
  private let isAtStart = Settings.text("hook") == "start"
  /// Where a file stands for each call of a hook to spoil.
  private let folder = String(Settings.inherited("APUS_STRESS_LOG").dropLast("log".count)) + "starts"

  init(_ findings: Findings) { self.findings = findings }

  /// How a hook fails, as long as there are files left.
  private struct Sabotage: Codable, Sendable {
    let failure: Failure
    let folder: String

    func commit() throws {
      for name in names(in: folder) where unlink("\(folder)/\(name)") == 0 { return try failure.commit() }
    }

    static let ofExit = WorkerLocal<Sabotage>()
  }

  private func spoil(_ calls: Int) {
    for number in 0..<calls { close(open("\(folder)/\(number)", O_CREAT | O_WRONLY, 0o600)) }
  }

  private func clean() -> Int {
    let left = names(in: folder)
    for name in left { unlink("\(folder)/\(name)") }
    return left.count
  }

  private func makePool(_ workers: Int) throws -> ProcessPool {
    var configuration = ProcessPool.Configuration()
    if failure.hangs { configuration.startUpLimit = Settings.limit }
    let sabotage = Sabotage(failure: failure, folder: folder)
    if isAtStart {
      configuration.onWorkerStart(with: sabotage) { try $0.commit() }
    } else {
      configuration.onWorkerStart(with: sabotage) { Sabotage.ofExit.set($0) }
      configuration.onWorkerExit { try Sabotage.ofExit.withValue { try $0.commit() } }
      configuration.tasksPerWorker = 9
    }
    return try ProcessPool(workers: workers, configuration: configuration)
  }

  func run() async throws {
    try await some(workers: 2, spoilt: 2, base: 0)
    try await some(workers: 4, spoilt: 3, base: 1000)
    if isAtStart { try await all() } else { try await atTheEnd() }
  }

  /// Some of the calls fail: all tasks are done all the same, once each.
  private func some(workers: Int, spoilt: Int, base: Int) async throws {
    let label = "\(spoilt) calls of the hook in \(workers) workers"
    spoil(spoilt)
    let pool = try makePool(workers)
    let batch = Batch(base: base, work: 100_000)
    let outcomes = try await batch.outcomes(pool, blocking: isBlocking, chunking: .fixed(1))
    batch.check(outcomes, findings, label)
    batch.checkRuns(RunLog.counts(), guiltyRuns: 0, findings, label)
    if isAtStart {
      findings.check(eventually { names(in: folder).isEmpty }, "\(label): not all were spoilt")
      findings.check(
        eventually { pool.processIdentifiers.count == workers }, "\(label): the pool has lost its width")
    }
    await pool.shutdown(gracePeriod: failure.hangs ? .milliseconds(300) : .seconds(5))
    findings.check(pool.processIdentifiers.isEmpty, "\(label): workers are left")
    _ = clean()
  }

  /// No start hook ever returns: every task fails and says why.
  private func all() async throws {
    spoil(64)
    let pool = try makePool(2)
    let outcomes = try await Batch(base: 5000).outcomes(pool, blocking: isBlocking)
    for (index, outcome) in outcomes.enumerated() {
      switch outcome {
      case .success: findings.violation("every call: task \(index) has a result")
      case .failure(let error):
        findings.check(error.code == .startUpFailed, "every call: task \(index), \(error.code): \(error)")
        findings.check(error.message.contains("start hook"), "every call: the hook is not named: \(error)")
        if failure == .throw || failure == .trap {
          findings.check(
            error.description.contains("sabotaged"), "every call: its words are not told: \(error)")
        }
      }
    }
    await pool.shutdown()
    let spoilt = 64 - clean()
    findings.check(spoilt <= 12, "every call: \(spoilt) workers were tried before the pool gave up")
  }

  /// Every exit hook fails at the end of the pool: that is told, costs no value, and leaves nobody.
  private func atTheEnd() async throws {
    let pool = try makePool(2)
    let batch = Batch(base: 6000)
    let outcomes = try await batch.outcomes(pool, blocking: isBlocking)
    batch.check(outcomes, findings, "at the end")
    spoil(64)
    await pool.shutdown(gracePeriod: failure.hangs ? .milliseconds(300) : .seconds(5))
    findings.check(pool.processIdentifiers.isEmpty, "at the end: workers are left")
    findings.check(clean() < 64, "at the end: no exit hook was called")
  }
}

import ApusSystem
import Apus
import Glibc
import StressSupport
import Synchronization

/// The two columns of the table whose failure happens in the parent: while an argument is encoded, while a
/// result is decoded. The script sees from outside how this program ends.
struct ParentSideCell: Scenario {
  private let findings: Findings
  private let failure = Failure(named: Settings.text("failure"))
  private let moment = Moment(rawValue: Settings.text("moment"))!
  private let isBlocking = Settings.isBlocking
  private let batch: Batch

  init(_ findings: Findings) {
    self.findings = findings
    var random = Random(Settings.seed)
    // The bodies take a while, so that the workers are busy when it happens.
    batch = Batch(
      base: 0, guilty: random.below(Batch.count), plan: Plan(failure: failure, moment: moment),
      work: 2_000_000)
  }

  func run() async throws {
    let pool = try ProcessPool(workers: 2)
    if failure == .loop { return try await loop(pool) }
    let outcomes = try await batch.outcomes(pool, blocking: isBlocking)
    findings.check(!failure.isDeadly, "the program has survived")
    batch.check(outcomes, findings, "all")
    if failure == .throw {
      batch.checkGuilty(outcomes, thrown: TaskCell.code(thrownAt: moment), findings, "all")
      batch.checkRuns(RunLog.counts(), guiltyRuns: moment == .decodeResult ? 1 : 0, findings, "all")
    } else {
      // It was stopped and continued: the task is like any other.
      let isDone = (try? outcomes[batch.guilty!].get().value) == value(of: batch.guilty!)
      findings.check(
        isDone, "the task during which the program was stopped failed: \(outcomes[batch.guilty!])")
      batch.checkRuns(RunLog.counts(), guiltyRuns: 1, findings, "all")
    }
    await pool.shutdown()
  }

  /// One caller is at an endless loop. All others must get what they ask for.
  private func loop(_ pool: ProcessPool) async throws {
    let batch = batch
    if isBlocking {
      try NativeThread.start(name: "stuck") { _ = pool.outcomes(of: batch.probes, answer) }
    } else {
      Task.detached { _ = await pool.outcomes(of: batch.probes, answer) }
    }
    usleep(100_000)
    for round in 1...5 {
      let first = Batch(base: round * 1000)
      let second = Batch(base: round * 1000 + 500)
      first.check(try await first.outcomes(pool, blocking: false), findings, "an asynchronous call beside it")
      second.check(try await second.outcomes(pool, blocking: true), findings, "a blocking call beside it")
      first.checkRuns(RunLog.counts(), guiltyRuns: 0, findings, "an asynchronous call beside it")
      second.checkRuns(RunLog.counts(), guiltyRuns: 0, findings, "a blocking call beside it")
    }
    // The stuck caller's tasks can't be all done, but the pool must end.
    await pool.shutdown(gracePeriod: .milliseconds(50))
  }
}

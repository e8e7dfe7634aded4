import Apus
import Glibc
import StressSupport

/// The column of the table whose failure happens while a worker starts, in a static initialiser.
struct StartUpCell: Scenario {
  private let findings: Findings
  private let failure = Failure(named: Settings.text("failure"))
  private let isBlocking = Settings.isBlocking
  /// Where a file stands for each start to spoil; the C++ part takes them.
  private let folder: String

  init(_ findings: Findings) {
    self.findings = findings
    folder = String(Settings.inherited("APUS_STRESS_START").split(separator: ":", maxSplits: 1).last!)
  }

  private func spoil(_ starts: Int) {
    for number in 0..<starts { close(open("\(folder)/\(number)", O_CREAT | O_WRONLY, 0o600)) }
  }

  private func clean() -> Int {
    let left = names(in: folder)
    for name in left { unlink("\(folder)/\(name)") }
    return left.count
  }

  private func makePool(_ workers: Int) throws -> ProcessPool {
    var configuration = ProcessPool.Configuration()
    if failure.hangs { configuration.startUpLimit = Settings.limit }
    return try ProcessPool(workers: workers, configuration: configuration)
  }

  func run() async throws {
    try await firstStarts(workers: 2, spoilt: 2, base: 0, "both of the first starts")
    try await firstStarts(workers: 4, spoilt: 3, base: 1000, "three of the first four starts")
    try await replacement()
    try await all()
    if failure == .throw {
      try await sound()
      try await borderline()
    }
  }

  /// A worker becomes ready at the very moment at which the limit ends it: the tasks that it is still given
  /// have not begun, and none of them is its victim.
  private func borderline() async throws {
    var random = Random(Settings.seed)
    let time = try await ContinuousClock().measure {
      let pool = try ProcessPool(workers: 1)
      _ = try await pool.run(1, plainAnswer)
      await pool.shutdown(gracePeriod: .zero)
    }
    for _ in 0..<20 {
      var configuration = ProcessPool.Configuration()
      configuration.startUpLimit = time * Double.random(in: 0.4...1.2, using: &random)
      let pool = try ProcessPool(workers: 2, configuration: configuration)
      for outcome in await pool.outcomes(of: 6000..<6040, plainAnswer) {
        if case .failure(let error) = outcome, error.code != .startUpFailed {
          findings.violation("a start that took about as long as it may: \(error)")
        }
      }
      await pool.shutdown(gracePeriod: .zero)
    }
  }

  /// A worker that nobody asks for anything is not taken for one that never came up.
  private func sound() async throws {
    var configuration = ProcessPool.Configuration()
    configuration.startUpLimit = Settings.limit
    let pool = try ProcessPool(workers: 2, configuration: configuration)
    let workers = pool.processIdentifiers
    try await Task.sleep(for: Settings.limit * 2)
    if pool.processIdentifiers != workers {
      findings.slow("idle workers were replaced when the limit had passed")
    }
    await pool.shutdown()
  }

  /// Some of the first starts fail: all tasks are done all the same.
  private func firstStarts(workers: Int, spoilt: Int, base: Int, _ label: String) async throws {
    spoil(spoilt)
    let pool = try makePool(workers)
    let batch = Batch(base: base, work: 100_000)
    let outcomes = try await batch.outcomes(pool, blocking: isBlocking)
    batch.check(outcomes, findings, label)
    batch.checkRuns(RunLog.counts(), guiltyRuns: 0, findings, label)
    // Those that stop or loop are known by their limit only, the tasks are long done.
    findings.check(eventually { names(in: folder).isEmpty }, "\(label): not all were spoilt")
    let isWhole = eventually { pool.processIdentifiers.count == workers }
    findings.check(isWhole, "\(label): the pool has lost its width")
    await pool.shutdown()
    _ = clean()
  }

  /// A worker dies, and its replacements fail to start, twice.
  private func replacement() async throws {
    let label = "replacements"
    let pool = try makePool(2)
    _ = try await Batch(base: 2000).outcomes(pool, blocking: isBlocking)
    spoil(2)
    let plan = Plan(failure: .kill, moment: .call)
    let batch = Batch(base: 3000, guilty: 5, plan: plan, work: 100_000)
    let outcomes = try await batch.outcomes(pool, blocking: isBlocking)
    batch.check(outcomes, findings, label)
    batch.checkGuilty(outcomes, thrown: .thrown, findings, label)
    batch.checkRuns(RunLog.counts(), guiltyRuns: 1, findings, label)
    findings.check(eventually { names(in: folder).isEmpty }, "\(label): not all were spoilt")
    let after = Batch(base: 4000)
    after.check(try await after.outcomes(pool, blocking: isBlocking), findings, "after \(label)")
    await pool.shutdown()
    _ = clean()
  }

  /// No worker ever comes up: every task fails and says why, and nobody waits for ever.
  private func all() async throws {
    let label = "every start"
    spoil(64)
    let pool = try makePool(2)
    let batch = Batch(base: 5000)
    let outcomes = try await batch.outcomes(pool, blocking: isBlocking)
    for (index, outcome) in outcomes.enumerated() {
      switch outcome {
      case .success: findings.violation("\(label): task \(index) has a result")
      case .failure(let error):
        findings.check(error.code == .startUpFailed, "\(label): task \(index), \(error.code): \(error)")
        if index == 0 { check(error, label) }
      }
    }
    await pool.shutdown()
    let spoilt = 64 - clean()
    findings.check(spoilt <= 12, "\(label): \(spoilt) starts were tried before the pool gave up")
    findings.figure("starts", spoilt)
  }

  private func check(_ error: TaskError, _ label: String) {
    // An uncaught C++ exception aborts.
    let aborted = ExitStatus.signalled(SIGABRT, coreDumped: false)
    let isRight = failure == .throw ? error.status == aborted : failure.explains(error.status)
    findings.check(isRight, "\(label): the status is wrong: \(error)")
    if failure == .throw {
      findings.check(error.standardError.contains("sabotaged"), "\(label): the message is not told: \(error)")
    }
  }
}

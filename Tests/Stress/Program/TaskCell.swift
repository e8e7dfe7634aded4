import Apus
import Glibc
import StressSupport

/// A cell of the table whose failure happens in a worker, in a task: while the argument is decoded, in the
/// body, while the result is encoded.
struct TaskCell: Scenario {
  private let findings: Findings
  private let failure = Failure(named: Settings.text("failure"))
  private let moment: Moment
  private let isBlocking = Settings.isBlocking
  private var random = Random(Settings.seed)

  init(_ findings: Findings) {
    self.findings = findings
    moment = Moment(rawValue: Settings.text("moment"))!
  }

  /// What the code is if an error is thrown at the moment.
  static func code(thrownAt moment: Moment) -> TaskError.Code {
    switch moment {
    case .encodeArgument: .argumentNotEncodable
    case .decodeArgument: .argumentNotDecodable
    case .call: .thrown
    case .encodeResult: .resultNotEncodable
    case .decodeResult: .resultNotDecodable
    }
  }

  mutating func run() async throws {
    let pool = try ProcessPool(workers: 2)
    // One by one, several at a time, and all behind the first in one worker's ring.
    for (number, chunking) in [Chunking.automatic, .fixed(8), .fixed(40)].enumerated() {
      try await tryOnce(pool, chunking, number, "chunks \(number)")
    }
    if moment == .call { try await tryPlainMemory(pool) }
    findings.check(eventually { pool.processIdentifiers.count == 2 }, "the pool has lost its width")
    await pool.shutdown()
  }

  private mutating func tryOnce(_ pool: ProcessPool, _ chunking: Chunking, _ number: Int, _ label: String)
    async throws
  {
    var batch = Batch(base: number * 1000, guilty: random.below(Batch.count))
    batch.plan = Plan(failure: failure, moment: moment)
    let limit = failure.hangs ? Settings.limit : nil
    let outcomes = try await batch.outcomes(pool, blocking: isBlocking, chunking: chunking, limit: limit)
    batch.check(outcomes, findings, label)
    batch.checkGuilty(outcomes, thrown: Self.code(thrownAt: moment), findings, label)

    // And the pool is as good as new.
    let after = Batch(base: number * 1000 + 500)
    after.check(
      try await after.outcomes(pool, blocking: isBlocking), findings, "\(label), the calls after it")
    let counts = RunLog.counts()
    batch.checkRuns(counts, guiltyRuns: moment == .decodeArgument ? 0 : 1, findings, label)
    after.checkRuns(counts, guiltyRuns: 0, findings, "\(label), the calls after it")
  }

  /// Integers go as plain memory, many in a record, and their results are taken while the worker is at it.
  private mutating func tryPlainMemory(_ pool: ProcessPool) async throws {
    let label = "plain memory"
    let count = 400
    let guilty = random.below(count)
    var inputs = (0..<count).map { 10_000 + $0 }
    inputs[guilty] |= (Int(failure.rawValue) + 1) << 32
    let limit = failure.hangs ? Settings.limit : nil
    let outcomes: [Result<Int, TaskError>]
    if isBlocking {
      outcomes = try await onThread { [inputs] in
        pool.outcomes(of: inputs, chunking: .fixed(50), timeLimit: limit, plainAnswer)
      }
    } else {
      outcomes = await pool.outcomes(of: inputs, chunking: .fixed(50), timeLimit: limit, plainAnswer)
    }
    let counts = RunLog.counts()
    for (index, outcome) in outcomes.enumerated() {
      findings.check(
        counts[10_000 + index] == 1, "\(label): task \(index) ran \(counts[10_000 + index] ?? 0) times")
      switch outcome {
      case .success(let result):
        let isRight = index != guilty && result == value(of: 10_000 + index)
        findings.check(isRight, "\(label): task \(index), guilty \(guilty), has the result \(result)")
      case .failure(let error):
        if index != guilty, error.code == .timeLimitExceeded {
          findings.slow("\(label): sound task \(index): \(error)")
        } else {
          findings.check(
            index == guilty && failure.explains(error, thrown: .thrown),
            "\(label): task \(index) failed: \(error)")
        }
      }
    }
  }
}

func plainAnswer(_ input: Int) throws -> Int {
  let index = input & 0xffff_ffff
  RunLog.add(index)
  if input >> 32 != 0 { try Failure(rawValue: Int32(input >> 32) - 1)!.commit() }
  return value(of: index)
}

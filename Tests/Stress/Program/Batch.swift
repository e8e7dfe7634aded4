import Apus
import Glibc
import StressSupport

/// Forty tasks, at most one of them guilty, and the judgement on their outcomes.
struct Batch: Sendable {
  static let count = 40

  /// The index of the first in the run log: each batch of a scenario has its own.
  let base: Int
  var guilty: Int?
  var plan: Plan?
  /// Nanoseconds that each body takes.
  var work = 0

  var probes: [Probe] {
    (0..<Self.count).map { Probe(base + $0, work: work, plan: $0 == guilty ? plan : nil) }
  }

  typealias Outcomes = [Result<Answer, TaskError>]

  /// Has the pool do the tasks, by an asynchronous or a blocking call.
  func outcomes(
    _ pool: ProcessPool, blocking: Bool, chunking: Chunking = .automatic, limit: Duration? = nil
  ) async throws -> Outcomes {
    guard blocking else {
      return await pool.outcomes(of: probes, chunking: chunking, timeLimit: limit, answer)
    }
    return try await onThread { pool.outcomes(of: probes, chunking: chunking, timeLimit: limit, answer) }
  }

  /// Every task but the guilty one must have its right result.
  func check(_ outcomes: Outcomes, _ findings: Findings, _ label: String) {
    findings.check(
      outcomes.count == Self.count, "\(label): \(outcomes.count) outcomes for \(Self.count) tasks")
    for (index, outcome) in outcomes.enumerated() where index != guilty {
      switch outcome {
      case .success(let answer):
        findings.check(answer.value == value(of: base + index), "\(label): task \(index) has a wrong result")
      case .failure(let error) where error.code == .timeLimitExceeded:
        findings.slow("\(label): sound task \(index): \(error)")
      case .failure(let error): findings.violation("\(label): sound task \(index) was lost: \(error)")
      }
    }
  }

  /// The guilty one must have the right error.
  func checkGuilty(_ outcomes: Outcomes, thrown: TaskError.Code, _ findings: Findings, _ label: String) {
    guard let guilty, let plan, guilty < outcomes.count else { return }
    switch outcomes[guilty] {
    case .success: findings.violation("\(label): the guilty task has a result")
    case .failure(let error):
      findings.check(
        plan.failure.explains(error, thrown: thrown),
        "\(label): the guilty task failed with \(error.code), \(error.status.map { "\($0)" } ?? "no status"): \(error)"
      )
      findings.check(
        error.task == guilty, "\(label): the error names task \(error.task ?? -1), not \(guilty)")
      if plan.failure == .trap {
        findings.check(
          error.standardError.contains("sabotaged"), "\(label): the error lacks the trap's message: \(error)")
      }
    }
  }

  /// Every sound task must have run exactly once, the guilty one as often as `guiltyRuns` says.
  func checkRuns(_ counts: [Int: Int], guiltyRuns: Int, _ findings: Findings, _ label: String) {
    for index in 0..<Self.count {
      let runs = counts[base + index, default: 0]
      let wanted = index == guilty ? guiltyRuns : 1
      findings.check(runs == wanted, "\(label): task \(index) ran \(runs) times, not \(wanted)")
    }
  }
}

/// The body of all of them.
func answer(_ probe: Probe) throws -> Answer {
  RunLog.add(probe.index)
  if probe.work > 0 { spin(nanoseconds: probe.work) }
  try probe.plan?.act(at: .call)
  return Answer(value(of: probe.index), plan: probe.plan)
}

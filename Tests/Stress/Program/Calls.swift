import Apus

/// The calls of the kill scenario, in several forms, and what came of each task.
enum Calls {
  enum Outcome: Sendable {
    case right(Int)
    case wrong(Int, String)
    case lost(Int, TaskError)

    var isLost: Bool { if case .lost = self { true } else { false } }
  }

  static func plain(_ pool: ProcessPool, _ tasks: Range<Int>, _ isBlocking: Bool) async throws -> [Outcome] {
    let outcomes: [Result<Int, TaskError>]
    if isBlocking {
      outcomes = try await onThread { pool.outcomes(of: Array(tasks), KillBodies.plain) }
    } else {
      // Drawn one by one, handed out as they come.
      outcomes = try await drawn(
        pool.results(of: tasks, order: .completion, window: 1000, KillBodies.plain), tasks.count)
    }
    return judge(outcomes, tasks) { task, result in result == value(of: task) }
  }

  static func text(_ pool: ProcessPool, _ tasks: Range<Int>, _ isBlocking: Bool) async throws -> [Outcome] {
    let inputs = tasks.map(String.init)
    let outcomes: [Result<String, TaskError>]
    if isBlocking {
      outcomes = try await onThread { pool.outcomes(of: inputs, KillBodies.text) }
    } else {
      outcomes = await pool.outcomes(of: inputs, KillBodies.text)
    }
    return judge(outcomes, tasks) { task, result in result == "the answer to \(task) is \(value(of: task))" }
  }

  static func large(_ pool: ProcessPool, _ tasks: Range<Int>, _ isBlocking: Bool) async throws -> [Outcome] {
    let outcomes: [Result<[UInt8], TaskError>]
    if isBlocking {
      outcomes = try await onThread { pool.outcomes(of: tasks, KillBodies.large) }
    } else {
      outcomes = await pool.outcomes(of: tasks, KillBodies.large)
    }
    return judge(outcomes, tasks) { task, result in
      result.count == KillBodies.size(of: task) && Freight.index(of: result) == task
        && Freight.isWhole(result)
    }
  }

  private static func drawn(
    _ results: TaskResults<Int>, _ count: Int
  ) async throws -> [Result<Int, TaskError>] {
    var outcomes: [Result<Int, TaskError>?] = Array(repeating: nil, count: count)
    while let outcome = await results.nextOutcome() {
      guard outcomes[outcome.index] == nil else {
        throw Failure.Sabotage(text: "task \(outcome.index) came twice")
      }
      outcomes[outcome.index] = outcome.result
    }
    guard outcomes.allSatisfy({ $0 != nil }) else { throw Failure.Sabotage(text: "results are missing") }
    return outcomes.map { $0! }
  }

  private static func judge<Value>(
    _ outcomes: [Result<Value, TaskError>], _ tasks: Range<Int>, _ isRight: (Int, Value) -> Bool
  ) -> [Outcome] {
    guard outcomes.count == tasks.count else {
      return [.wrong(tasks.lowerBound, "\(outcomes.count) outcomes")]
    }
    return zip(tasks, outcomes).map { task, outcome in
      switch outcome {
      case .success(let result):
        isRight(task, result) ? .right(task) : .wrong(task, "\(result)".prefix(80).description)
      case .failure(let error): .lost(task, error)
      }
    }
  }
}

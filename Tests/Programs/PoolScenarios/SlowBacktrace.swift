import Apus
import Glibc

/// A trap under a time limit, where the backtrace takes longer than that. (`SWIFT_BACKTRACE` names a backtracer that
/// sleeps.)
enum SlowBacktrace {
  static func play(isAsync: Bool) async throws {
    try await withProcessPool(workers: 1) { (pool) async throws in
      let outcome: Result<Int, TaskError>
      if isAsync {
        outcome = await pool.outcomes(of: [3], timeLimit: .seconds(2)) { (n: Int) async in trap(n) }[0]
      } else {
        outcome = await pool.outcomes(of: [3], timeLimit: .seconds(2)) { (n: Int) in trap(n) }[0]
      }
      guard case .failure(let error) = outcome else { return print("no failure") }
      print(error.code, error.standardError.contains("the dam breaks"))
    }
  }

  /// The signal of a fault that is sent: it passes, and the next task has its limit.
  static func sent() async throws {
    try await withProcessPool(workers: 1) { (pool) async throws in
      let process = try await pool.run(0) { (_: Int) -> Int32 in
        kill(getpid(), SIGABRT)
        return getpid()
      }
      do {
        _ = try await pool.run(0, timeLimit: .milliseconds(100)) { (n: Int) -> Int in
          while true { usleep(1000) }
        }
      } catch let error as TaskError { print(error.code, pool.processIdentifiers != [process]) }
    }
  }

  private static func trap(_ n: Int) -> Int { fatalError("the dam breaks") }
}

// One input traps, one never ends: two errors, and every other result.
import Apus

func inverse(_ n: Int) -> Int {
  if n == 7 { while true {} }
  return 1000 / n  // traps for 0
}

@main
struct CrashSurvival {
  static func main() async throws {
    try await withProcessPool(workers: 2) { pool in
      let outcomes = await pool.outcomes(of: -2...9, timeLimit: .milliseconds(300), inverse)
      for (input, outcome) in zip(-2...9, outcomes) {
        switch outcome {
        case .success(let value): print(input, "->", value)
        case .failure(let error): print(input, "->", error.code, error.status.map { "(\($0))" } ?? "")
        }
      }
    }
  }
}

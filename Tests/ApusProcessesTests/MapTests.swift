import Apus
import Testing

func double(_ x: Int) -> Int { x * 2 }

@Suite struct MapTests {
  @Test func resultsComeInTheOrderOfTheInputs() async throws {
    try await withProcessPool(workers: 2) { pool in
      let results = try await pool.map(0..<1000, double)
      #expect(results == (0..<1000).map { $0 * 2 })
      let strings = try await pool.map(["a", "b"]) { $0 + $0 }
      #expect(strings == ["aa", "bb"])
    }
  }

  @Test func aCrashIsOneTasksError() async throws {
    try await withProcessPool(workers: 2) { pool in
      let outcomes = await pool.outcomes(of: Array(0..<10)) { (n: Int) -> Int in
        if n == 3 { fatalError("three") }
        return n
      }
      for (index, outcome) in outcomes.enumerated() {
        switch outcome {
        case .success(let value): #expect(value == index && index != 3)
        case .failure(let error):
          #expect(index == 3)
          #expect(error.code == .workerDied)
          print(error)
        }
      }
    }
  }
}

import Apus
import Glibc
import StaticInitialiser
import Testing

private let lazyGlobal = [3, 1, 2].sorted()
private enum Constants { static let table = (0..<10).map { $0 * $0 } }
// Changed in one process and looked at in another.
nonisolated(unsafe) private var counter = 7

extension ProcessPoolTests {
  /// What of the program's state a body finds in a worker.
  @Suite struct GlobalsTests {
    @Test func globalsAreThereAndEvaluatedAnew() async throws {
      counter = 100
      try await withProcessPool(workers: 1) { (pool) async throws in
        #expect(try await pool.run(0) { (_: Int) in lazyGlobal } == [1, 2, 3])
        #expect(try await pool.run(3) { Constants.table[$0] } == 9)
        #expect(try await pool.run(0) { (_: Int) in counter } == 7)
        // A worker keeps what its tasks did.
        _ = try await pool.run(0) { (_: Int) -> Int in
          counter += 1
          return 0
        }
        #expect(try await pool.run(0) { (_: Int) in counter } == 8)
        #expect(counter == 100)
      }
    }

    @Test func staticsOfCPlusPlusAreInitialised() async throws {
      #expect(static_initialiser_count() == 3)
      try await withProcessPool(workers: 1) { (pool) async throws in
        #expect(try await pool.run(0) { (_: Int) in static_initialiser_count() } == 3)
      }
    }

    @Test func theEnvironmentAndTheArgumentsAreTheProgramsOwn() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let path = getenv("PATH").map { String(cString: $0) }
        #expect(try await pool.run(0) { (_: Int) in getenv("PATH").map { String(cString: $0) } } == path)
        // What makes a worker is gone, so that nothing it starts becomes one.
        #expect(try await pool.run(0) { (_: Int) in getenv("APUS_WORKER") == nil })
        #expect(try await pool.run(0) { (_: Int) in CommandLine.arguments[0] } == CommandLine.arguments[0])
      }
    }

    /// A variable of a `main.swift` is zero in a worker: making a pool warns and names it.
    @Test func variablesOfAMainFile() async throws {
      let program = programFolder + "/TopLevelVariables"
      let run = try await runProgram(program, [program, "one"])
      #expect(run.output == "worker 0\nhere 20\n")
      #expect(run.errors.contains("factor"), "no warning: \(run.errors)")
      let others = try await runScenario("width")
      #expect(others.errors.isEmpty)
    }
  }
}

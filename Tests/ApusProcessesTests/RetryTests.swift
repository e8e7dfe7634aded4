import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  /// Retries after a worker's death, and the budget of restarts.
  @Suite struct RetryTests {
    /// Crashes in its first `marks.lines`… tries, and says how often it was tried.
    private static let crashesTwice = { @Sendable (marks: Marks, n: Int) -> Int in
      marks.set("tries of \(n)", "x")
      if n == 3, marks.lines("tries of 3").count <= 2 { exit(1) }
      return n
    }

    @Test func aTaskIsTriedAgainIfThatIsAskedFor() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        let values = try await pool.map(0..<6, with: marks, retries: 2, Self.crashesTwice)
        #expect(values == Array(0..<6))
        #expect(marks.lines("tries of 3").count == 3)
        for other in [0, 1, 2, 4, 5] { #expect(marks.lines("tries of \(other)").count == 1) }
      }
    }

    @Test func notMoreOftenThanAsked() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        let outcomes = await pool.outcomes(of: 0..<6, with: marks, retries: 1, Self.crashesTwice)
        let error = try #require(throws: TaskError.self) { try outcomes[3].get() }
        #expect(error.code == .workerDied)
        #expect(marks.lines("tries of 3").count == 2)
      }
    }

    @Test func notAtAllUnlessAsked() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        let outcomes = await pool.outcomes(of: 0..<6, with: marks, Self.crashesTwice)
        #expect(throws: TaskError.self) { try outcomes[3].get() }
        #expect(marks.lines("tries of 3").count == 1)
      }
    }

    @Test func theConfigurationMayAskForAllCalls() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      var configuration = ProcessPool.Configuration()
      configuration.retries = 5
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        #expect(try await pool.run(3, with: marks, Self.crashesTwice) == 3)
        #expect(marks.lines("tries of 3").count == 3)
        // The call's own word goes before it.
        let other = TemporaryFolder()
        await #expect(throws: TaskError.self) {
          try await pool.run(3, with: other.marks, retries: 0, Self.crashesTwice)
        }
      }
    }

    @Test func aTaskThatThrowsIsNotTriedAgain() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) {
          try await pool.run(1, with: marks, retries: 3) { (marks, n: Int) -> Int in
            marks.set("tries", "x")
            throw OddNumber(number: n)
          }
        }
        #expect(error?.code == .thrown)
        #expect(marks.lines("tries").count == 1)
      }
    }

    @Test func aTaskPastItsLimitIsNotTriedAgain() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) {
          try await pool.run(1, with: marks, timeLimit: .milliseconds(50), retries: 3) {
            (marks, n: Int) -> Int in
            marks.set("tries", "x")
            while true { usleep(1000) }
          }
        }
        #expect(error?.code == .timeLimitExceeded)
        #expect(marks.lines("tries").count == 1)
      }
    }

    /// With the budget used up and no worker left, whatever waits fails, and says how the last worker ended.
    @Test func theBudgetOfRestartsIsKept() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.maximumRestarts = 2
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        let outcomes = await pool.outcomes(of: 0..<10) { (n: Int) -> Int in n % 2 == 1 ? leave(4) : n }
        let codes = outcomes.map { outcome -> TaskError.Code? in
          if case .failure(let error) = outcome { error.code } else { nil }
        }
        let died = TaskError.Code.workerDied
        #expect(codes.prefix(6) == [nil, died, nil, died, nil, died])
        #expect(codes.dropFirst(6).allSatisfy { $0 == .restartsExhausted })
        let error = await #expect(throws: TaskError.self) { try await pool.run(0, double) }
        #expect(error?.code == .restartsExhausted)
        #expect(error?.status == .exited(4))
        #expect(pool.processIdentifiers.isEmpty)
      }
    }

    @Test func thePoolGoesOnWithTheWorkersThatAreLeft() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.maximumRestarts = 0
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        let outcomes = await pool.outcomes(of: 0..<20) { (n: Int) -> Int in n == 5 ? leave(4) : n }
        #expect(outcomes.filter { (try? $0.get()) != nil }.count == 19)
        #expect(await eventually { pool.processIdentifiers.count == 1 })
        #expect(try await pool.map(0..<10, double).count == 10)
      }
    }
  }
}

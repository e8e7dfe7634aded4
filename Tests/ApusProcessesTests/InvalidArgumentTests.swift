import Apus
import Testing

extension ProcessPoolTests {
  @Suite struct InvalidArgumentTests {
    private func expectInvalid(_ words: String, _ call: () async throws -> Void) async {
      let error = await #expect(throws: TaskError.self) { try await call() }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.contains(words) == true, "\(error?.message ?? "no error")")
    }

    @Test func numbersOfWorkers() async {
      await expectInvalid("-1") { _ = try ProcessPool(workers: -1) }
      await expectInvalid("1000000") { _ = try ProcessPool(workers: 1_000_000) }
      await expectInvalid("\(Int.min)") { try await withProcessPool(workers: .min) { (_) async in } }
    }

    @Test func configurations() async {
      func expectInvalid(_ words: String, _ change: (inout ProcessPool.Configuration) -> Void) async {
        var configuration = ProcessPool.Configuration()
        change(&configuration)
        await self.expectInvalid(words) { _ = try ProcessPool(workers: 1, configuration: configuration) }
      }
      await expectInvalid("retries") { $0.retries = -1 }
      await expectInvalid("maximumRestarts") { $0.maximumRestarts = -3 }
      await expectInvalid("time limit") { $0.timeLimit = .zero }
      await expectInvalid("time limit") { $0.timeLimit = .seconds(-1) }
      await expectInvalid("grace period") { $0.gracePeriod = .nanoseconds(-1) }
      await expectInvalid("startUpLimit") { $0.startUpLimit = .zero }
    }

    @Test func arguments() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        await expectInvalid("chunk") { _ = try await pool.map([1], chunking: .fixed(0), double) }
        await expectInvalid("chunk") { _ = try await pool.map(["1"], chunking: .fixed(-7)) { $0 } }
        await expectInvalid("retries") { _ = try await pool.map([1], retries: -1, double) }
        await expectInvalid("time limit") { _ = try await pool.run(1, timeLimit: .zero, double) }
        await expectInvalid("time limit") {
          _ = try await pool.first(in: [1], timeLimit: .seconds(-1)) { $0 > 0 }
        }
        await expectInvalid("retries") { _ = try await pool.submit(1, retries: -1, double).value }
        for window in [0, -5] {
          await expectInvalid("window") {
            for try await _ in pool.results(of: [1], window: window, double) {}
          }
        }
        await expectInvalid("chunk") {
          for try await _ in pool.results(of: [1], chunking: .fixed(0), double) {}
        }
        let outcomes = await pool.outcomes(of: [1, 2], retries: -1, double)
        #expect(outcomes.count == 2)
        for (index, outcome) in outcomes.enumerated() {
          let error = #expect(throws: TaskError.self) { try outcome.get() }
          #expect(error?.code == .invalidArgument && error?.task == index)
        }
        #expect(try await pool.run(1, double) == 2)
      }
    }

    @Test func extremesThatAreValid() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.timeLimit = .seconds(Int64.max)
      configuration.gracePeriod = .seconds(Int64.max)
      configuration.startUpLimit = nil
      configuration.retries = .max
      configuration.maximumRestarts = .max
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        #expect(try await pool.map([1, 2], chunking: .fixed(.max), double) == [2, 4])
        #expect(try await pool.map(["a", "b"], chunking: .fixed(.max)) { $0 + "!" } == ["a!", "b!"])
        #expect(try await pool.run(3, timeLimit: .seconds(Int64.max), double) == 6)
        #expect(try await pool.results(of: [1], window: .max, double).nextOutcome()?.result.get() == 2)
      }
    }
  }
}

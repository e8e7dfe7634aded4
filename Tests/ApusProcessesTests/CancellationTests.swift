import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  /// Cancelling the Swift task that waits for a pool.
  @Suite struct CancellationTests {
    private func expectCancelled(
      _ name: String, _ call: @escaping @Sendable (ProcessPool, Marks) async throws -> Void
    ) async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        let task = Task { try await call(pool, marks) }
        #expect(await eventually { marks.isSet("running") }, "\(name)")
        task.cancel()
        await #expect(throws: CancellationError.self, "\(name)") { try await task.value }
        #expect(await eventually { marks.isSet("stopped") }, "\(name)")
        #expect(try await pool.run(2, double) == 4, "\(name)")
      }
    }

    private static func untilCancelled(_ marks: Marks, _ n: Int) -> Int {
      marks.set("running")
      while !PoolTask.isCancelled { usleep(500) }
      marks.set("stopped")
      return n
    }

    @Test func everyCallThrowsCancellationError() async throws {
      try await expectCancelled("map") { pool, marks in
        _ = try await pool.map(0..<100, with: marks, CancellationTests.untilCancelled)
      }
      try await expectCancelled("run") { pool, marks in
        _ = try await pool.run(0, with: marks, CancellationTests.untilCancelled)
      }
      try await expectCancelled("first") { pool, marks in
        _ = try await pool.first(in: 0..<100, with: marks) { CancellationTests.untilCancelled($0, $1) < 0 }
      }
      try await expectCancelled("results") { pool, marks in
        for try await _ in pool.results(of: 0..<100, with: marks, CancellationTests.untilCancelled) {}
      }
    }

    @Test func nextOutcomeEnds() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let task = Task {
          let results = pool.results(of: 0..<100, with: marks, CancellationTests.untilCancelled)
          return await results.nextOutcome() == nil
        }
        #expect(await eventually { marks.isSet("running") })
        task.cancel()
        #expect(await task.value)
      }
    }

    /// An async body sees it as any Swift task does.
    @Test func asynchronousBodiesAreCancelled() async throws {
      try await expectCancelled("async") { pool, marks in
        _ = try await pool.run(0, with: marks) { (marks, n: Int) async -> Int in
          marks.set("running")
          do { try await Task.sleep(for: .seconds(1000)) } catch { marks.set("stopped") }
          return n
        }
      }
    }

    @Test func aBodyThatDoesNotStopIsKilled() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let before = pool.processIdentifiers
        let task = Task {
          try await pool.run(0, with: marks) { (marks, n: Int) -> Int in
            marks.set("running")
            raise(SIGSTOP)
            return n
          }
        }
        #expect(await eventually { marks.isSet("running") })
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(await eventually { kill(before[0], 0) != 0 })
        #expect(try await pool.run(2, double) == 4)
      }
    }

    @Test func aTaskThatWasCancelledBeforeCallsNothing() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let busy = pool.submit(0, with: marks) { (marks, _: Int) in marks.wait(for: "go on") }
        let task = Task {
          withUnsafeCurrentTask { $0?.cancel() }
          return try await pool.run(0, with: marks) { (marks, _: Int) in marks.set("ran") == () }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        marks.set("go on")
        #expect(try await busy.value)
        #expect(try await pool.run(1, double) == 2)
        #expect(!marks.isSet("ran"))
      }
    }

    /// Another call's tasks in the same workers are left alone.
    @Test func otherCallsGoOn() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        let cancelled = Task { try await pool.map(0..<100_000, with: marks) { (_, n: Int) in n } }
        let other = Task { try await pool.map((0..<20_000).map { "\($0)" }) { $0 + "!" } }
        cancelled.cancel()
        #expect(try await other.value == (0..<20_000).map { "\($0)!" })
        _ = await cancelled.result
      }
    }

    /// The first error of a `map` asks the other tasks to stop; one that was about to end keeps its worker.
    @Test func aFailedMapKeepsItsWorkers() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        #expect(try await pool.map(0..<100, double).count == 100)
        let before = Set(pool.processIdentifiers)
        await #expect(throws: TaskError.self) {
          try await pool.map(0..<2, with: marks) { (marks, n: Int) -> Int in
            if n == 0 { return CancellationTests.untilCancelled(marks, n) }
            marks.wait(for: "running")
            throw OddNumber(number: n)
          }
        }
        #expect(await eventually { marks.isSet("stopped") })
        try await Task.sleep(for: .milliseconds(300))
        #expect(Set(pool.processIdentifiers) == before)
      }
    }
  }
}

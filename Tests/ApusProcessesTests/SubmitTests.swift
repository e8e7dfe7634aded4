import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  @Suite struct SubmitTests {
    @Test func aHandleHasTheValue() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let handles = (0..<50).map { pool.submit($0, double) }
        for (index, handle) in handles.enumerated() { #expect(try await handle.value == 2 * index) }
        // Again and again.
        #expect(try await handles[3].value == 6)
        #expect(handles.allSatisfy { $0.state == .finished })
        #expect(handles.allSatisfy { !$0.isCancelled })
      }
    }

    @Test func aHandleHasTheError() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let handle = pool.submit(7, halve)
        let error = await #expect(throws: TaskError.self) { try await handle.value }
        #expect(error?.underlyingError as? OddNumber == OddNumber(number: 7))
        #expect(handle.state == .finished)
      }
    }

    @Test func threadsCanWaitForIt() throws {
      try withProcessPool(workers: 1) { (pool) throws in
        let handle = pool.submit(21, double)
        #expect(try handle.wait() == 42)
        #expect(try handle.wait() == 42)
        let failing = pool.submit(7, halve)
        #expect(throws: TaskError.self) { try failing.wait() }
      }
    }

    @Test func theStateFollowsTheTask() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let first = pool.submit(1, with: marks) { (marks, n: Int) in
          marks.set("running")
          marks.wait(for: "go on")
          return n
        }
        #expect(await eventually { marks.isSet("running") })
        let second = pool.submit(2, double)
        #expect(first.state == .running)
        #expect(second.state == .pending)
        marks.set("go on")
        #expect(try await first.value == 1)
        #expect(try await second.value == 4)
        #expect(first.state == .finished && second.state == .finished)
      }
    }

    @Test func aTaskThatWaitsIsCancelledAndNeverRuns() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let first = pool.submit(1, with: marks) { (marks, n: Int) in
          marks.wait(for: "go on")
          return n
        }
        let second = pool.submit(2, with: marks) { (marks, n: Int) in
          marks.set("ran")
          return n
        }
        second.cancel()
        #expect(second.isCancelled)
        await #expect(throws: CancellationError.self) { try await second.value }
        #expect(second.state == .finished)
        marks.set("go on")
        #expect(try await first.value == 1)
        #expect(try await pool.run(3, double) == 6)
        #expect(!marks.isSet("ran"))
      }
    }

    /// A body that stops when it is asked to keeps its worker, also in a pool that has nothing else to do.
    @Test func aTaskThatCooperatesKeepsItsWorker() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let handle = pool.submit(1, with: marks) { (marks, n: Int) in
          marks.set("running")
          while !PoolTask.isCancelled { usleep(500) }
          marks.set("stopped")
          return n
        }
        #expect(await eventually { marks.isSet("running") })
        let before = pool.processIdentifiers
        handle.cancel()
        await #expect(throws: CancellationError.self) { try await handle.value }
        #expect(await eventually { marks.isSet("stopped") })
        // Three times the grace period, in which nobody drives the pool.
        try await Task.sleep(for: .milliseconds(300))
        #expect(pool.processIdentifiers == before)
        #expect(try await pool.run(2, double) == 4)
      }
    }

    @Test func aTaskThatDoesNotCooperateIsKilled() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let handle = pool.submit(1, with: marks) { (marks, n: Int) in
          marks.set("running")
          while true { usleep(500) }
          return n
        }
        #expect(await eventually { marks.isSet("running") })
        let before = pool.processIdentifiers
        handle.cancel()
        await #expect(throws: CancellationError.self) { try await handle.value }
        #expect(await eventually { pool.processIdentifiers != before && pool.processIdentifiers.count == 1 })
        #expect(try await pool.run(2, double) == 4)
      }
    }

    @Test func aHandleMayBeDropped() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        _ = pool.submit(1, with: marks) { (marks, n: Int) in
          marks.set("ran")
          return n
        }
        #expect(await eventually { marks.isSet("ran") })
      }
    }
  }
}

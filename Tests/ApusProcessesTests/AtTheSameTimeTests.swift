import Apus
import ApusProcesses
import ApusSystem
import Glibc
import TestSupport
import Testing

private func failAtFirst(_ n: Int) throws -> Int {
  if n == 0 { throw OddNumber(number: n) }
  return n
}

private func waitBlocking(_ handle: TaskHandle<Int>) throws -> Int { try handle.wait() }

private func callBlocking(_ pool: ProcessPool, _ n: Int) throws -> Int { try pool.run(n, double) }

extension ProcessPoolTests {
  /// Calls, cancellations, failures and the end of the pool, on several threads at once.
  @Suite struct AtTheSameTimeTests {
    /// A cancellation holds a lock of its task's when it comes to the engine; the engine must not hold its own when
    /// it resumes a task.
    @Test func cancellationsWhileResultsArrive() async throws {
      let pool = try ProcessPool(workers: 2)
      let isOver = Locked(false)
      try await withThrowingTaskGroup { group in
        group.addTask { () async throws -> Void in
          while !isOver.withLock({ $0 }) {
            _ = try callBlocking(pool, 1)
            await Task.yield()
          }
        }
        for _ in 0..<2000 {
          let task = Task { try await pool.run(2, double) }
          task.cancel()
          _ = try? await task.value
        }
        isOver.withLock { $0 = true }
        try await group.waitForAll()
      }
      await pool.shutdown()
    }

    /// Results of a call that failed still arrive, on the thread of another caller, when the call has returned.
    @Test func failedCallsWhoseResultsArrive() async throws {
      let pool = try ProcessPool(workers: 2)
      let isOver = Locked(false)
      let inputs = Array(0..<2_000_000)
      try await withThrowingTaskGroup { group in
        group.addTask { () async throws -> Void in
          while !isOver.withLock({ $0 }) {
            _ = try callBlocking(pool, 1)
            await Task.yield()
          }
        }
        for _ in 0..<10 {
          await #expect(throws: TaskError.self) { try await pool.map(inputs, failAtFirst) }
          let task = Task { await pool.outcomes(of: inputs, double).count }
          task.cancel()
          #expect(await task.value == inputs.count)
        }
        isOver.withLock { $0 = true }
        try await group.waitForAll()
      }
      await pool.shutdown()
    }

    @Test func shutdownByAnObserver() async throws {
      for _ in 0..<20 {
        var configuration = ProcessPool.Configuration()
        configuration.events = EventStream()
        let pool = try ProcessPool(workers: 2, configuration: configuration)
        let subscription = configuration.events.subscribe { event in
          if event.kind == .workerExited { pool.shutdown(gracePeriod: .zero) }
        }
        _ = try await pool.run(1, double)
        await pool.shutdown()
        subscription.cancel()
      }
    }

    /// Handles need no thread of the cooperative pool, which user code may keep busy.
    @Test func handlesWhileAllCooperativeThreadsAreBusy() async throws {
      await #expect(processExitsWith: .success) {
        try startWatchdog()
        let pool = try ProcessPool(workers: 1)
        let handles = (0..<4 * Processors.available).map { n in pool.submit(n, double) }
        let waiters = handles.map { handle in Task.detached { try waitBlocking(handle) } }
        for (n, waiter) in waiters.enumerated() {
          let value = try await waiter.value
          precondition(value == 2 * n)
        }
        await pool.shutdown()
      }
    }

    @Test func aPendingTaskThatWasCancelledNeverRuns() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let first = pool.submit(0, with: marks) { (marks, _: Int) in marks.wait(for: "go on") }
        let second = pool.submit(0, with: marks) { (marks, _: Int) -> Int in
          marks.set("ran")
          return 0
        }
        second.cancel()
        #expect(second.state == .finished && second.isCancelled)
        marks.set("go on")
        #expect(try await first.value)
        await #expect(throws: CancellationError.self) { try await second.value }
        #expect(!marks.isSet("ran"))
      }
    }

    @Test func noCallsAfterAShutdownBegan() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      let pool = try ProcessPool(workers: 2)
      let handle = pool.submit(0, with: marks) { (marks, _: Int) -> Bool in
        marks.set("running")
        return marks.wait(for: "go on")
      }
      #expect(await eventually { marks.isSet("running") })
      let end = Task { await pool.shutdown(gracePeriod: .seconds(30)) }
      #expect(
        await eventually {
          do { _ = try callBlocking(pool, 1) } catch { return (error as? TaskError)?.code == .poolClosed }
          return false
        })
      marks.set("go on")
      #expect(try await handle.value)
      await end.value
    }
  }
}

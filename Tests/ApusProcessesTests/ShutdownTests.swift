import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  @Suite struct ShutdownTests {
    @Test func tasksThatWereGivenMayFinish() async throws {
      let pool = try ProcessPool(workers: 2)
      let handles = (0..<6).map { number in
        pool.submit(number) { (n: Int) in
          usleep(30_000)
          return n
        }
      }
      await pool.shutdown(gracePeriod: .seconds(60))
      for (index, handle) in handles.enumerated() { #expect(try await handle.value == index) }
      #expect(pool.processIdentifiers.isEmpty)
    }

    @Test func anImmediateOneEndsWhatRuns() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      let pool = try ProcessPool(workers: 2)
      let task = Task {
        await pool.outcomes(of: 0..<50, with: marks) { (marks, n: Int) in
          marks.set("running", "x")
          sleep(1000)
          return n
        }
      }
      #expect(await eventually { marks.lines("running").count == 2 })
      let workers = pool.processIdentifiers
      await pool.shutdown(gracePeriod: .zero)
      for outcome in await task.value {
        let error = #expect(throws: TaskError.self) { try outcome.get() }
        #expect(error?.code == .poolClosed)
      }
      for worker in workers { #expect(kill(worker, 0) != 0) }
    }

    /// Whatever the workers do, the end comes.
    @Test(arguments: [SIGSTOP, 0])
    func itIsBounded(signal: Int32) async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      let pool = try ProcessPool(workers: 2)
      for number in 0..<2 {
        _ = pool.submit(number, with: [signal]) { (signal, n: Int) -> Int in
          if signal[0] != 0 { raise(signal[0]) }
          while true { usleep(1000) }
        }
      }
      let blocked = pool.submit(1, with: marks) { (marks, _: Int) in marks.set("ran") == () }
      let workers = pool.processIdentifiers
      #expect(workers.count == 2)
      await pool.shutdown(gracePeriod: .milliseconds(50))
      for worker in workers { #expect(kill(worker, 0) != 0) }
      let error = await #expect(throws: TaskError.self) { try await blocked.value }
      #expect(error?.code == .poolClosed)
      #expect(!marks.isSet("ran"))
    }

    @Test func callsAfterItThrow() async throws {
      let pool = try ProcessPool(workers: 2)
      await pool.shutdown()
      func expectClosed(_ call: () async throws -> Void) async {
        let error = await #expect(throws: TaskError.self) { try await call() }
        #expect(error?.code == .poolClosed)
      }
      await expectClosed { _ = try await pool.map(0..<3, double) }
      await expectClosed { _ = try await pool.map(["a"]) { $0 } }
      await expectClosed { _ = try await pool.run(1, double) }
      await expectClosed { _ = try await pool.first(in: 0..<3, where: { $0 == 1 }) }
      await expectClosed { _ = try await pool.submit(1, double).value }
      await expectClosed { for try await _ in pool.results(of: sequence(first: 0) { $0 + 1 }, double) {} }
      let outcomes = await pool.outcomes(of: 0..<3, double)
      #expect(outcomes.count == 3)
      for outcome in outcomes { await expectClosed { _ = try outcome.get() } }
      #expect(pool.processIdentifiers.isEmpty)
      #expect(pool.workerCount == 2)
    }

    @Test func blockingCallsAfterItThrow() throws {
      let pool = try ProcessPool(workers: 1)
      pool.shutdown()
      #expect(throws: TaskError.self) { try pool.map(0..<3, double) }
      #expect(throws: TaskError.self) { try pool.run(1, double) }
      #expect(throws: TaskError.self) { try pool.results(of: 0..<3, double).next() }
      #expect(throws: TaskError.self) { try pool.submit(1, double).wait() }
      #expect(throws: TaskError.self) { try pool.first(in: 0..<3, where: { $0 == 1 }) }
    }

    @Test func itMayBeCalledAgain() async throws {
      let pool = try ProcessPool(workers: 1)
      await pool.shutdown()
      await pool.shutdown()
      await pool.shutdown(gracePeriod: .zero)
    }

    /// Every call of it returns when no worker is left, not only the first.
    @Test func twoAtATimeBothWait() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      let pool = try ProcessPool(workers: 1)
      let handle = pool.submit(0, with: marks) { (marks, _: Int) in
        marks.set("running")
        return marks.wait(for: "go on")
      }
      #expect(await eventually { marks.isSet("running") })
      let first = Task { await pool.shutdown(gracePeriod: .seconds(30)) }
      // The second begins while the first waits for the task, and the task ends only after the second began.
      let second = Task {
        try await Task.sleep(for: .milliseconds(200))
        await pool.shutdown(gracePeriod: .seconds(30))
        return pool.processIdentifiers
      }
      try await Task.sleep(for: .milliseconds(500))
      marks.set("go on")
      #expect(try await second.value == [])
      await first.value
      #expect(try await handle.value)
    }

    @Test func aPoolThatIsDroppedEndsItsWorkers() async throws {
      var pool: ProcessPool? = try ProcessPool(workers: 2)
      let workers = pool!.processIdentifiers
      #expect(workers.count == 2)
      pool = nil
      #expect(await eventually { workers.allSatisfy { kill($0, 0) != 0 } })
    }

    @Test func theScopeEndsThem() async throws {
      let workers = try await withProcessPool(workers: 2) { (pool) async in pool.processIdentifiers }
      #expect(workers.count == 2)
      for worker in workers { #expect(kill(worker, 0) != 0) }

      var others: [Int32] = []
      await #expect(throws: OddNumber.self) {
        try await withProcessPool(workers: 2) { (pool) async throws in
          others = pool.processIdentifiers
          _ = pool.submit(0) { (_: Int) in sleep(1000) }
          throw OddNumber(number: 1)
        }
      }
      #expect(others.count == 2)
      for worker in others { #expect(kill(worker, 0) != 0) }
    }

    /// A worker that is told to stop runs what was registered with `atexit`.
    @Test func workersThatAreIdleExitInOrder() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        _ = try await pool.run(0, with: marks) { (marks, _: Int) -> Int in
          exitMarks = marks
          atexit { exitMarks?.set("at exit") }
          return 0
        }
      }
      #expect(marks.isSet("at exit"))
    }
  }
}

// Written once, by a worker's only task, before it is read by the handler.
nonisolated(unsafe) private var exitMarks: Marks?

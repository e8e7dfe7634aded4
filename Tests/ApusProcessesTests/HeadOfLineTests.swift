import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  /// One worker that takes nothing in holds up nothing but itself.
  @Suite struct HeadOfLineTests {
    /// A pool of two whose first worker, which gets the next task, is stopped.
    private func withAStoppedWorker(_ body: (ProcessPool) async throws -> Void) async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let workers = pool.processIdentifiers
        for worker in workers { #expect(await eventually { isIn(worker, pool) }) }
        kill(workers[0], SIGSTOP)
        defer { kill(workers[0], SIGCONT) }
        try await body(pool)
      }
    }

    /// Whether a worker has done a task by now.
    private func isIn(_ worker: Int32, _ pool: ProcessPool) -> Bool {
      func blocking() -> [Int32] {
        (try? pool.map(0..<4, chunking: .fixed(1)) { (_: Int) in
          usleep(2000)
          return getpid()
        }) ?? []
      }
      return blocking().contains(worker)
    }

    @Test func aWorkerThatIsBeingToldOfAFunction() async throws {
      try await withAStoppedWorker { (pool) async throws in
        let table = (0..<1_000_000).map { $0 ^ 5 }
        let told = pool.submit(77, with: table) { $0[$1] }
        let others = (0..<20).map { pool.submit($0, double) }
        #expect(await eventually { others.allSatisfy { $0.state == .finished } })
        // Nor does its own task wait for it.
        #expect(await eventually { told.state == .finished })
        #expect(try await told.value == table[77])
      }
    }

    /// Several tasks of the function, fewer than workers; more; and so many that no other call's task is behind them.
    @Test(arguments: [1, 2, 50]) func aCallWhoseFunctionIsOnItsWay(tasks: Int) async throws {
      try await withAStoppedWorker { (pool) async throws in
        let table = (0..<1_000_000).map { $0 ^ 5 }
        let call = Task { try await pool.map(0..<tasks, with: table) { $0[$1] } }
        let isOver = Tally()
        let watcher = Task {
          let values = try await call.value
          isOver.add()
          return values
        }
        #expect(await eventually { isOver.value == 1 })
        #expect(try await watcher.value == Array(table.prefix(tasks)))
      }
    }

    /// Nobody is stopped: whoever moves the context on lets the others in. (A busy machine may not, so it is tried again.)
    @Test func shortCallsBesideALargeContext() async throws {
      let table = [Int](repeating: 3, count: 16 << 20)  // 128 MiB
      try await withProcessPool(workers: 3) { (pool) async throws in
        for worker in pool.processIdentifiers { #expect(await eventually { isIn(worker, pool) }) }
        var most = 0
        for _ in 0..<20 where most < 5 { most = max(most, try await callsBesideTelling(table, pool)) }
        #expect(most >= 5)
      }
    }

    /// How many short calls there is time for while a worker is told of a function with a context.
    private func callsBesideTelling(_ table: [Int], _ pool: ProcessPool) async throws -> Int {
      let lookUp = RemoteFunction<Int, Int>(with: table) {
        if $1 < 0 { usleep(300_000) }
        return $0[abs($1)]
      }
      // Encoded once, and the first worker is busy: all that the second call takes is to tell the next worker.
      #expect(try await pool.run(0, lookUp) == 3)
      let busy = pool.submit(-1, lookUp)
      let told = pool.submit(77, lookUp)
      var calls = 0
      while told.state != .finished {
        _ = try await pool.run(calls, double)
        calls += 1
      }
      #expect(try await busy.value == 3)
      #expect(try await told.value == 3)
      return calls
    }

    @Test func aLargeArgumentOnItsWay() async throws {
      try await withAStoppedWorker { (pool) async throws in
        let numbers = [Int](repeating: 3, count: 1_000_000)
        let words = (0..<100_000).map { "word \($0)" }
        let sum = pool.submit(numbers) { $0.reduce(0, +) }
        #expect(await eventually { sum.state == .finished })
        let count = pool.submit(words) { $0.count }
        #expect(await eventually { count.state == .finished })
        #expect(try await sum.value == 3_000_000)
        #expect(try await count.value == 100_000)
      }
    }

    /// If it waits, it never runs: also if a part of its argument is in the worker already.
    @Test func aCancelledTaskWhoseArgumentIsOnItsWayNeverRuns() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.gracePeriod = .seconds(60)
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        let worker = try await pool.run(0) { (_: Int) in getpid() }
        kill(worker, SIGSTOP)
        defer { kill(worker, SIGCONT) }
        let numbers = [Int](repeating: 3, count: 1_000_000)
        let handle = pool.submit(numbers, with: marks) { (marks, numbers: [Int]) in
          marks.set("ran")
          return numbers.count
        }
        #expect(handle.state == .pending)
        handle.cancel()
        await #expect(throws: CancellationError.self) { try await handle.value }
        kill(worker, SIGCONT)
        #expect(try await pool.run(numbers) { $0.count } == 1_000_000)
        #expect(try await pool.run(0) { (_: Int) in getpid() } == worker)
        #expect(!marks.isSet("ran"))
      }
    }

    /// All at once, and with more tasks than they have taken.
    @Test func allWorkersStoppedAndContinued() async throws {
      try await withProcessPool(workers: 4) { (pool) async throws in
        let workers = pool.processIdentifiers
        for worker in workers { #expect(await eventually { isIn(worker, pool) }) }
        for round in 0..<3 {
          for worker in workers { kill(worker, SIGSTOP) }
          let calls = (0..<3).map { n in pool.submit(n, double) }
          try await Task.sleep(for: .milliseconds(20 * round))
          for worker in workers { kill(worker, SIGCONT) }
          for (n, call) in calls.enumerated() { #expect(try await call.value == 2 * n) }
          for worker in workers { #expect(await eventually { isIn(worker, pool) }, "round \(round)") }
        }
        #expect(pool.processIdentifiers == workers)
      }
    }
  }
}

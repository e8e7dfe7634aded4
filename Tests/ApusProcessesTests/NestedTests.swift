import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  /// Pools inside workers, and how wide pools are.
  @Suite struct NestedTests {
    @Test func aTaskMayUseAPoolOfItsOwn() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let sums = try await pool.map(1...4) { (n: Int) async throws -> Int in
          try await withProcessPool(workers: 2) { inner in
            try await inner.map(0..<n) { $0 * 10 }.reduce(0, +)
          }
        }
        #expect(sums == [0, 10, 30, 60])
      }
    }

    @Test func blockingBodiesToo() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let inner = try await pool.map([1, 2]) { (n: Int) throws -> [Int32] in
          try withProcessPool(workers: 1) { inner in [getpid(), try inner.run(n) { (_: Int) in getppid() }] }
        }
        for pair in inner { #expect(pair[0] == pair[1]) }
      }
    }

    @Test func anInnerPoolsErrorComesBackAsItself() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) {
          try await pool.run(3) { (n: Int) async throws -> Int in
            try await withProcessPool(workers: 1) { inner in try await inner.map([2, n, 4], halve).count }
          }
        }
        #expect(error?.code == .thrown)
        let inner = try #require(error?.underlyingError as? TaskError)
        #expect(inner.code == .thrown && inner.task == 1 && inner.message.contains("OddNumber"))
        let death = await #expect(throws: TaskError.self) {
          try await pool.run(3) { (n: Int) async throws -> Int in
            try await withProcessPool(workers: 1) { inner in try await inner.run(Int32(n), leave) }
          }
        }
        let dead = try #require(death?.underlyingError as? TaskError)
        #expect(dead.code == .workerDied && dead.status == .exited(3) && dead.process != nil)
      }
    }

    @Test func anInnerPoolEndsWithItsWorker() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) {
          try await pool.run(0, with: marks) { (marks, _: Int) throws -> Int in
            let inner = try ProcessPool(workers: 2)
            for process in inner.processIdentifiers { marks.set("inner", "\(process)") }
            exit(1)
          }
        }
        #expect(error?.code == .workerDied)
        let processes = marks.lines("inner").compactMap { Int32($0) }
        #expect(processes.count == 2)
        #expect(await eventually { processes.allSatisfy { hasEnded($0) } })
      }
    }

    /// The workers share what there is.
    @Test func thePoolsShareTheWidth() async throws {
      let width = Processors.available
      for workers in [1, 2, 3 * width] {
        try await withProcessPool(workers: workers) { (pool) async throws in
          let inner = try await pool.run(0) { (_: Int) in
            [Processors.available, try ProcessPool().workerCount]
          }
          let share = max(1, width / workers)
          #expect(inner == [share, share])
        }
      }
    }

    @Test func withoutANumberThereAreAsManyAsProcessors() async throws {
      try await withProcessPool { (pool) async in
        #expect(pool.workerCount == Processors.available)
        #expect(pool.processIdentifiers.count == pool.workerCount)
      }
    }

    @Test func theEnvironmentCapsTheWidth() async throws {
      let run = try await runScenario("width", environment: ["APUS_CPUS=1"])
      #expect(run.output == "1 1\n")
      let ignored = try await runScenario("width", environment: ["APUS_CPUS=none"])
      #expect(ignored.output == "\(Processors.available) \(Processors.available)\n")
    }
  }
}

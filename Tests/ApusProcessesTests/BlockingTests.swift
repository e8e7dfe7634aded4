import ApusProcesses
import ApusSystem
import Apus
import Glibc
import Synchronization
import Testing

extension ProcessPoolTests {
  /// The blocking forms, and many callers of both forms at once.
  @Suite struct BlockingTests {
    @Test func everyCallHasABlockingForm() throws {
      try withProcessPool(workers: 2) { (pool) throws in
        #expect(try pool.map(0..<1000, double) == (0..<1000).map { 2 * $0 })
        #expect(try pool.map(["a"]) { $0 + "b" } == ["ab"])
        #expect(try pool.map([1, 2], with: 5) { $0 * $1 } == [5, 10])
        #expect(try pool.map([1, 2]) { (n: Int) async in n + 1 } == [2, 3])
        #expect(pool.outcomes(of: 0..<4, halve).map { try? $0.get() } == [0, nil, 1, nil])
        #expect(try pool.run(4, double) == 8)
        #expect(try pool.run(4, with: 3) { $0 * $1 } == 12)
        #expect(try pool.first(in: 0..<100, where: { $0 > 41 }) == 42)
        #expect(throws: TaskError.self) { try pool.map([1, 3], halve) }
        #expect(throws: TaskError.self) { try pool.run(1, halve) }
      }
    }

    @Test func aCrashIsNothingSpecial() throws {
      try withProcessPool(workers: 2) { (pool) throws in
        let outcomes = pool.outcomes(of: 0..<20) { (n: Int) -> Int in n == 11 ? leave(3) : n }
        #expect(outcomes.count == 20)
        for (index, outcome) in outcomes.enumerated() {
          if case .failure(let error) = outcome {
            #expect(index == 11 && error.code == .workerDied && error.status == .exited(3))
          } else {
            #expect(try outcome.get() == index && index != 11)
          }
        }
      }
    }

    @Test func onePoolForManyTasksAndThreads() async throws {
      let pool = try ProcessPool(workers: 2)
      let threads = 6
      let right = Atomic<Int>(0)
      let ended = Atomic<Int>(0)
      for thread in 0..<threads {
        try NativeThread.start(name: "caller") {
          for round in 0..<20 {
            let values = try? pool.map(0..<(10 + round), with: thread) { $0 * 1000 + $1 }
            let expected = (0..<(10 + round)).map { thread * 1000 + $0 }
            if values == expected, (try? pool.run(round, double)) == 2 * round {
              right.add(1, ordering: .relaxed)
            }
          }
          ended.add(1, ordering: .releasing)
        }
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 0..<30 {
          group.addTask {
            #expect(try await pool.map(0..<100, with: task) { $0 &* $1 } == (0..<100).map { task &* $0 })
            #expect(try await pool.map((0..<20).map { "\($0)" }) { $0 + "." } == (0..<20).map { "\($0)." })
            var sum = 0
            for try await value in pool.results(of: 0..<50, order: .completion, double) { sum += value }
            #expect(sum == 2450)
            #expect(try await pool.submit(task, double).value == 2 * task)
          }
        }
        try await group.waitForAll()
      }
      #expect(await eventually { ended.load(ordering: .acquiring) == threads })
      #expect(right.load(ordering: .relaxed) == threads * 20)
      await pool.shutdown()
    }

    /// A wake-up that is lost, however rarely, would end this in the middle.
    @Test func noWakeUpIsLost() async throws {
      let run = try await runScenario("rounds")
      #expect(!run.timedOut)
      #expect(run.output == "done\n", "\(run.errors)")
    }

    /// A caller whose tasks are long does not keep another's short ones waiting when a worker is free.
    @Test func aShortCallIsDoneWhileALongOneRuns() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        let long = pool.submit(0, with: marks) { (marks, n: Int) in marks.wait(for: "go on") }
        for number in 0..<50 { #expect(try await pool.run(number, double) == 2 * number) }
        marks.set("go on")
        #expect(try await long.value)
      }
    }
  }
}

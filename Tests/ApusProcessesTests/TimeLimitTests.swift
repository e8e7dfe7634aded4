import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  @Suite struct TimeLimitTests {
    /// What a task does that does not end by itself.
    enum Stall: Int, Codable, CaseIterable { case cooperative, throwing, sleeping, spinning, stopped }

    private static func stall(_ how: Stall) throws {
      switch how {
      case .cooperative: while !PoolTask.isCancelled { usleep(500) }
      case .throwing: while true { try PoolTask.checkCancellation() }
      case .sleeping: sleep(1000)
      case .spinning: while getpid() != 0 {}
      case .stopped: raise(SIGSTOP)
      }
    }

    @Test(arguments: Stall.allCases)
    func aTaskPastItsLimitFailsAndNoOther(how: Stall) async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let limit = Duration.milliseconds(200)
        let outcomes = await pool.outcomes(of: 0..<20, with: how, timeLimit: limit) { (how, n: Int) in
          if n == 7 { try TimeLimitTests.stall(how) }
          return n
        }
        for (index, outcome) in outcomes.enumerated() where index != 7 { #expect(try outcome.get() == index) }
        let error = try #require(throws: TaskError.self) { try outcomes[7].get() }
        #expect(error.code == .timeLimitExceeded)
        #expect(error.task == 7)
        #expect(error.message.contains("0.2 seconds"))
        if how == .sleeping || how == .spinning || how == .stopped {
          #expect(error.status == .signalled(SIGKILL, coreDumped: false))
          #expect(error.process != nil)
        } else {
          #expect(error.status == nil)
        }
        #expect(try await pool.map(0..<100, double) == (0..<100).map { 2 * $0 })
      }
    }

    @Test func asynchronousBodiesAreCancelled() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let before = try await pool.run(0) { (_: Int) async in getpid() }
        let error = await #expect(throws: TaskError.self) {
          try await pool.run(0, timeLimit: .milliseconds(100)) { (_: Int) async throws -> Int in
            try await Task.sleep(for: .seconds(1000))
            return 0
          }
        }
        #expect(error?.code == .timeLimitExceeded)
        #expect(try await pool.run(0) { (_: Int) async in getpid() } == before)
      }
    }

    /// A result that was there in time counts, however late somebody looks.
    @Test func aStoppedProgramLosesNoResult() async throws {
      let run = try await runScenario("stopped parent")
      #expect(run.status == .exited(0) && run.output == "40\n", "\(run)")
    }

    /// The clock starts with the task, not with the call: together these take longer than each may.
    @Test func waitingDoesNotCount() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let values = try await pool.map(0..<6, chunking: .fixed(3), timeLimit: .seconds(2)) { (n: Int) in
          usleep(500_000)
          return n
        }
        #expect(values == Array(0..<6))
      }
    }

    @Test func theConfigurationMaySetOneForAllCalls() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.timeLimit = .milliseconds(50)
      configuration.gracePeriod = .zero
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) {
          try await pool.run(0) { (_: Int) in sleep(1000) }
        }
        #expect(error?.code == .timeLimitExceeded)
        // The call's own word goes before it.
        #expect(try await pool.run(0, timeLimit: .seconds(60)) { (_: Int) in usleep(300_000) } == 0)
      }
    }

    /// A body that asks in time has the whole grace period to end.
    @Test func theGracePeriodIsGranted() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.gracePeriod = .seconds(30)
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) {
          try await pool.run(0, with: marks, timeLimit: .milliseconds(50)) { (marks, n: Int) -> Int in
            while !PoolTask.isCancelled { usleep(500) }
            usleep(300_000)
            marks.set("tidied up")
            return n
          }
        }
        #expect(error?.code == .timeLimitExceeded)
        #expect(marks.isSet("tidied up"))
      }
    }

    /// The limit of a worker's start-up says nothing of a pool that is made long before its first task.
    @Test func aPoolMayWaitForItsFirstTask() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.startUpLimit = .seconds(1)
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        let before = pool.processIdentifiers
        try await Task.sleep(for: .milliseconds(1500))
        #expect(pool.processIdentifiers == before)
        #expect(try await pool.map([1, 2], double) == [2, 4])
      }
    }

    @Test func blockingCallsHaveOneToo() throws {
      try withProcessPool(workers: 1) { (pool) throws in
        let outcomes = pool.outcomes(of: 0..<4, timeLimit: .milliseconds(100)) { (n: Int) in
          if n == 2 { raise(SIGSTOP) }
          return n
        }
        #expect(outcomes.map { try? $0.get() } == [0, 1, nil, 3])
      }
    }
  }
}

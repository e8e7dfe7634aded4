import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  /// `workers: 0`: everything runs in the caller.
  @Suite struct InlineTests {
    private func withInlinePool(_ body: (ProcessPool) async throws -> Void) async throws {
      try await withProcessPool(workers: 0) { (pool) async throws in
        #expect(pool.workerCount == 0 && pool.processIdentifiers.isEmpty)
        try await body(pool)
      }
    }

    /// The exit hook waits for what runs, and nothing begins after it.
    @Test func theEndOfTheOneWorker() async throws {
      let folder = TemporaryFolder()
      Here.marks.set(folder.marks)
      var configuration = ProcessPool.Configuration()
      configuration.onWorkerStart { try Here.marks.withValue { $0.set("hooks", "start") } }
      configuration.onWorkerExit { try Here.marks.withValue { $0.set("hooks", "exit") } }
      let pool = try ProcessPool(workers: 0, configuration: configuration)
      let handle = pool.submit(200_000) { (time: Int) -> Int in
        usleep(UInt32(time))
        try Here.marks.withValue { $0.set("hooks", "task") }
        return time
      }
      #expect(await eventually { pool.statistics.running == 1 && folder.marks.lines("hooks") == ["start"] })
      await pool.shutdown()
      #expect(folder.marks.lines("hooks") == ["start", "task", "exit"])
      #expect(try await handle.value == 200_000)
      let error = try await #require(throws: TaskError.self) { try await pool.run(1, double) }
      #expect(error.code == .poolClosed)
      await pool.shutdown()
      #expect(folder.marks.lines("hooks").count == 3)
    }

    private enum Here { static let marks = WorkerLocal<Marks>() }

    @Test func countersCountHereToo() async throws {
      try await withProcessPool(workers: 0) { (pool) async throws in
        _ = await pool.outcomes(of: 0..<10, halve)
        _ = try await pool.run(4, double)
        let handle = pool.submit(1) { (n: Int) async in n }
        _ = try await handle.value
        let all = pool.statistics
        #expect(all.submitted == 12 && all.succeeded == 7 && all.failed == 5, "\(all)")
        #expect(all.queued == 0 && all.running == 0 && all.cancelled == 0 && all.workers.isEmpty)
        #expect(pool.withTimeLimit(.seconds(1)).statistics == all)
      }
    }

    @Test func everyCallWorks() async throws {
      try await withInlinePool { pool in
        #expect(try await pool.map(0..<100, double) == (0..<100).map { 2 * $0 })
        #expect(try await pool.map([1, 2], with: 5) { $0 * $1 } == [5, 10])
        #expect(try await pool.map([1, 2]) { (n: Int) async in n + 1 } == [2, 3])
        #expect(await pool.outcomes(of: 0..<4, halve).map { try? $0.get() } == [0, nil, 1, nil])
        #expect(try await pool.run(0) { (_: Int) in getpid() } == getpid())
        #expect(try await pool.first(in: sequence(first: 0) { $0 + 1 }, where: { $0 > 41 }) == 42)
        #expect(try await pool.first(in: 0..<3, where: { $0 > 41 }) == nil)
        #expect(try await pool.submit(4, double).value == 8)
        var seen: [Int] = []
        for try await value in pool.results(of: sequence(first: 0) { $0 + 1 }, double) {
          seen.append(value)
          if seen.count == 5 { break }
        }
        #expect(seen == [0, 2, 4, 6, 8])
        #expect(try await pool.run(0) { (_: Int) in PoolTask.isInWorker } == false)
      }
    }

    @Test func everyBlockingCallWorks() throws {
      try withProcessPool(workers: 0) { (pool) throws in
        #expect(try pool.map(0..<100, double) == (0..<100).map { 2 * $0 })
        #expect(try pool.map([1, 2]) { (n: Int) async in n + 1 } == [2, 3])
        #expect(pool.outcomes(of: 0..<4, halve).map { try? $0.get() } == [0, nil, 1, nil])
        #expect(try pool.run(4, double) == 8)
        #expect(try pool.first(in: 0..<100, where: { $0 > 41 }) == 42)
        #expect(try pool.submit(4, double).wait() == 8)
        let results = pool.results(of: 0..<3, double)
        #expect(try [results.next(), results.next(), results.next(), results.next()] == [0, 2, 4, nil])
      }
    }

    @Test func errorsAreTheSame() async throws {
      try await withInlinePool { pool in
        let error = await #expect(throws: TaskError.self) { try await pool.map([0, 2, 3], halve) }
        #expect(error?.code == .thrown && error?.task == 2)
        #expect(error?.underlyingError as? OddNumber == OddNumber(number: 3))
        let results = pool.results(of: [1, 2], halve)
        #expect(throws: TaskError.self) { try results.nextBlocking() }
      }
    }

    @Test func asynchronousInputs() async throws {
      try await withInlinePool { pool in
        let stream = AsyncStream<Int> { continuation in
          for number in 0..<5 { continuation.yield(number) }
          continuation.finish()
        }
        var seen: [Int] = []
        for try await value in pool.results(of: stream, double) { seen.append(value) }
        #expect(seen == [0, 2, 4, 6, 8])
      }
    }

    /// Who is cancelled does not wait for an input that may never come.
    @Test(arguments: [0, 3]) func aCancelledConsumerWaitsForNoInput(inputs: Int) async throws {
      try await withInlinePool { (pool) async throws in
        let (stream, source) = AsyncStream.makeStream(of: Int.self)
        for number in 0..<inputs { source.yield(number) }
        let seen = Tally()
        let consumer = Task {
          for try await _ in pool.results(of: stream, double) { seen.add() }
        }
        #expect(await eventually { seen.value == inputs })
        try await Task.sleep(for: .milliseconds(5))  // it waits by then, most of the time
        consumer.cancel()
        let isOver = Tally()
        let watcher = Task {
          let result = await consumer.result
          isOver.add()
          return result
        }
        #expect(await eventually { isOver.value == 1 })
        source.finish()
        await #expect(throws: CancellationError.self) { try await watcher.value.get() }
      }
    }

    @Test func asynchronousInputsForABlockingCaller() async {
      await #expect(processExitsWith: .success) {
        let results = try ProcessPool(workers: 0).results(of: AsyncStream<Int> { $0.finish() }, double)
        let end = try results.nextBlocking()
        precondition(end == nil)
      }
    }

    /// As with workers: `CancellationError`, not an error of the task.
    @Test func cancellationIsTheSame() async throws {
      try await withInlinePool { pool in
        let task = Task {
          try await pool.map(0..<10) { (n: Int) -> Int in
            withUnsafeCurrentTask { $0?.cancel() }
            return n
          }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
      }
    }

    @Test func aHandleIsFinishedInTheEnd() async throws {
      try await withInlinePool { pool in
        let handle = pool.submit(1, double)
        _ = try await handle.value
        #expect(handle.state == .finished)
      }
    }

    @Test func theRulesAreTheSame() async throws {
      try await withInlinePool { pool in
        let number = CommandLine.arguments.count
        let captured = await #expect(throws: TaskError.self) { try await pool.run(1) { $0 + number } }
        #expect(captured?.code == .functionNotNameable)
        await pool.shutdown()
        let closed = await #expect(throws: TaskError.self) { try await pool.run(1, double) }
        #expect(closed?.code == .poolClosed)
      }
    }

    @Test func badArgumentsAreErrorsToo() async throws {
      try await withInlinePool { pool in
        func code(_ call: () async throws -> [Int]) async -> TaskError.Code? {
          do { _ = try await call() } catch { return (error as? TaskError)?.code }
          return nil
        }
        #expect(await code { try await pool.map([1], chunking: .fixed(0), double) } == .invalidArgument)
        #expect(await code { try await pool.map([1], retries: -1, double) } == .invalidArgument)
        #expect(await code { try await pool.map([1], timeLimit: .zero, double) } == .invalidArgument)
      }
    }
  }
}

extension TaskResults {
  /// `next()`, for asynchronous tests: the call blocks a thread, but only for an instant.
  func nextBlocking() throws -> Output? {
    func blocking() throws -> Output? { try next() }
    return try blocking()
  }
}

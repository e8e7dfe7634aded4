import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  @Suite struct ResultsTests {
    @Test(arguments: [ResultOrder.input, .completion])
    func allResultsComeOnce(order: ResultOrder) async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        var results: [Int] = []
        for try await value in pool.results(of: 0..<2000, order: order, double) { results.append(value) }
        #expect((order == .input ? results : results.sorted()) == (0..<2000).map { $0 * 2 })
      }
    }

    /// Task 1 is done first, since task 0 waits for it.
    @Test(arguments: [ResultOrder.input, .completion])
    func theOrderIsTheOneAskedFor(order: ResultOrder) async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        let results = pool.results(of: 0..<2, with: marks, order: order) { (marks, n: Int) in
          if n == 0 { marks.wait(for: "handed out") }
          return n
        }
        if order == .input { marks.set("handed out") }
        var seen: [Int] = []
        for try await value in results {
          seen.append(value)
          marks.set("handed out")
        }
        #expect(seen == (order == .input ? [0, 1] : [1, 0]))
      }
    }

    @Test(arguments: [1, 4, 1000], [ResultOrder.input, .completion])
    func noMoreInputsAreDrawnThanTheWindowAllows(window: Int, order: ResultOrder) async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let inputs = Counted()
        var received = 0
        for try await _ in pool.results(of: inputs, order: order, window: window, double) {
          received += 1
          #expect(inputs.drawn <= received + window)
          if received == 5 * window { break }
        }
      }
    }

    @Test func theUsualWindowIsAFewAWorker() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let inputs = Counted()
        var received = 0
        for try await _ in pool.results(of: inputs, double) {
          received += 1
          #expect(inputs.drawn - received <= 16)
          if received == 2000 { break }
        }
      }
    }

    /// A consumer that takes its time holds nothing up but itself.
    @Test func aSlowConsumerBoundsWhatIsDrawn() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let inputs = Counted()
        let results = pool.results(of: inputs, window: 3, double)
        for index in 0..<20 {
          #expect(await results.nextOutcome()?.index == index)
          try await Task.sleep(for: .milliseconds(5))
          #expect(inputs.drawn <= index + 1 + 3)
        }
      }
    }

    @Test func anEndlessSequenceCanBeBrokenOff() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let endless = sequence(first: 0) { $0 + 1 }
        var sum = 0
        for try await value in pool.results(of: endless, order: .completion, double) {
          sum += value
          if sum > 100_000 { break }
        }
        #expect(try await pool.run(4, double) == 8)
      }
    }

    @Test func breakingOffStopsWhatRuns() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        for try await value in pool.results(
          of: 0..<1000, with: marks, order: .completion,
          { (marks, n: Int) in
            if n == 0 {
              marks.wait(for: "began")
              return n
            }
            marks.set("began")
            while !PoolTask.isCancelled { usleep(1000) }
            marks.set("stopped")
            return n
          })
        {
          #expect(value == 0)
          break
        }
        #expect(await eventually { marks.isSet("stopped") })
      }
    }

    @Test func theLoopEndsAtTheFirstFailure() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        var seen: [Int] = []
        let error = await #expect(throws: TaskError.self) {
          for try await value in pool.results(of: [0, 2, 4, 5, 6], halve) { seen.append(value) }
        }
        #expect(seen == [0, 1, 2])
        #expect(error?.task == 3)
      }
    }

    @Test func nextOutcomeGoesOnAfterAFailure() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let results = pool.results(of: [0, 1, 2, 3], halve)
        var codes: [TaskError.Code?] = []
        while let outcome = await results.nextOutcome() {
          #expect(outcome.index == codes.count)
          if case .failure(let error) = outcome.result { codes.append(error.code) } else { codes.append(nil) }
        }
        #expect(codes == [nil, .thrown, nil, .thrown])
        #expect(await results.nextOutcome() == nil)
      }
    }

    @Test func theBlockingFormGivesTheSame() throws {
      try withProcessPool(workers: 2) { (pool) throws in
        let results = pool.results(of: sequence(first: 0) { $0 + 1 }, double)
        for index in 0..<500 { #expect(try results.next() == 2 * index) }
        let failing = pool.results(of: [0, 1, 2], halve)
        #expect(try failing.next() == 0)
        #expect(throws: TaskError.self) { try failing.next() }
        #expect(try failing.next() == nil)
        let outcomes = pool.results(of: [0, 1, 2], halve)
        #expect(try outcomes.nextOutcome()?.result.get() == 0)
        #expect(throws: TaskError.self) { try outcomes.nextOutcome()?.result.get() }
        #expect(try outcomes.nextOutcome()?.result.get() == 1)
        #expect(outcomes.nextOutcome() == nil)
      }
    }

    @Test func theyKeepTheirPool() async throws {
      func results() throws -> TaskResults<Int> { try ProcessPool(workers: 1).results(of: 0..<10, double) }
      var seen: [Int] = []
      for try await value in try results() { seen.append(value) }
      #expect(seen == (0..<10).map { $0 * 2 })
    }
  }
}

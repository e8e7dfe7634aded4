import Apus
import Glibc
import Testing

struct SourceFailed: Error, Equatable {}

extension ProcessPoolTests {
  /// Results of an `AsyncSequence`.
  @Suite struct AsyncInputTests {
    private func numbers(_ count: Int, thenThrow: Bool = false) -> AsyncThrowingStream<Int, any Error> {
      AsyncThrowingStream { continuation in
        for number in 0..<count { continuation.yield(number) }
        continuation.finish(throwing: thenThrow ? SourceFailed() : nil)
      }
    }

    @Test(arguments: [0, 1, 500])
    func allOfThem(count: Int) async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        var results: [Int] = []
        for try await value in pool.results(of: numbers(count), double) { results.append(value) }
        #expect(results == (0..<count).map { $0 * 2 })
      }
    }

    @Test func aSequenceThatThrowsEndsTheResultsWithItsError() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        var results: [Int] = []
        let error = await #expect(throws: TaskError.self) {
          for try await value in pool.results(of: numbers(3, thenThrow: true), double) {
            results.append(value)
          }
        }
        #expect(results == [0, 2, 4])
        #expect(error?.underlyingError as? SourceFailed == SourceFailed())
      }
    }

    @Test func aSlowSequenceIsWaitedFor() async throws {
      let slow = AsyncStream<Int> { continuation in
        Task {
          for number in 0..<5 {
            try await Task.sleep(for: .milliseconds(20))
            continuation.yield(number)
          }
          continuation.finish()
        }
      }
      try await withProcessPool(workers: 2) { (pool) async throws in
        var results: [Int] = []
        for try await value in pool.results(of: slow, order: .completion, double) { results.append(value) }
        #expect(results.sorted() == [0, 2, 4, 6, 8])
      }
    }

    /// The result of an input is handed out while the next input is not there yet.
    @Test func aResultDoesNotWaitForTheNextInput() async throws {
      let (stream, continuation) = AsyncStream<Int>.makeStream()
      try await withProcessPool(workers: 1) { (pool) async throws in
        let results = pool.results(of: stream, double)
        for number in 0..<10 {
          continuation.yield(number)
          #expect(try await results.nextOutcome()?.result.get() == 2 * number)
        }
        continuation.finish()
        #expect(await results.nextOutcome() == nil)
      }
    }

    @Test func anEndlessOneCanBeBrokenOff() async throws {
      let counted = Counted()
      let endless = AsyncStream<Int>(unfolding: { counted.next() })
      try await withProcessPool(workers: 2) { (pool) async throws in
        var received = 0
        for try await value in pool.results(of: endless, window: 4, double) {
          #expect(value == 2 * received)
          received += 1
          // One more than the window may lie ready in the task that draws.
          #expect(counted.drawn <= received + 4 + 1)
          if received == 100 { break }
        }
        #expect(try await pool.run(1, double) == 2)
      }
    }

    @Test func theBlockingFormTakesThemToo() throws {
      try withProcessPool(workers: 1) { (pool) throws in
        let results = pool.results(of: numbers(20), double)
        var seen: [Int] = []
        while let value = try results.next() { seen.append(value) }
        #expect(seen == (0..<20).map { $0 * 2 })
      }
    }
  }
}

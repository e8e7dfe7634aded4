import ApusSystem
import ApusProcesses
import ApusWire
import Apus
import Glibc
import Testing

private struct Pair: Codable, Sendable, Equatable { var text: String, number: Int }

private func repeated(_ pair: Pair) throws -> Pair {
  if pair.number < 0 { throw OddNumber(number: pair.number) }
  return Pair(text: String(repeating: pair.text, count: pair.number), number: pair.number)
}

extension ProcessPoolTests {
  /// Calls that are over in microseconds, which take a way of their own through the engine.
  @Suite struct SmallCallTests {
    @Test func oneAfterTheOther() throws {
      try withProcessPool(workers: 2) { (pool) throws in
        for n in 0..<2000 {
          #expect(try pool.run(n, double) == 2 * n)
          // Short and long results, and errors, between them.
          let pair = Pair(text: "ab", number: n % 50 == 7 ? 200_000 : n % 7)
          if n % 10 == 0 { try #expect(pool.run(pair, repeated) == repeated(pair)) }
          if n % 25 == 0 {
            let error = #expect(throws: TaskError.self) {
              try pool.run(Pair(text: "", number: -n - 1), repeated)
            }
            #expect(error?.underlyingError as? OddNumber == OddNumber(number: -n - 1))
          }
        }
      }
    }

    @Test func oneAfterTheOtherAwaited() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        for n in 0..<2000 {
          #expect(try await pool.run(n, double) == 2 * n)
          if n % 10 == 0 { #expect(try await pool.run("\(n)") { $0 + "!" } == "\(n)!") }
        }
      }
    }

    /// Callers that come while one looks for its result are let in, and each gets its own.
    @Test func manyAtATime() async throws {
      let pool = try ProcessPool(workers: 2)
      try await withThrowingTaskGroup { group in
        for caller in 0..<6 {
          group.addTask { () async throws -> Void in
            for n in 0..<500 {
              let input = caller * 1000 + n
              switch caller {
              case 0, 1: #expect(try callBlocking(pool, input) == 2 * input)
              case 2: #expect(try await pool.map([input, n], double) == [2 * input, 2 * n])
              default: #expect(try await pool.run(input, double) == 2 * input)
              }
            }
          }
        }
        try await group.waitForAll()
      }
      await pool.shutdown()
    }

    /// A death in the middle of such a call is that call's error.
    @Test func deaths() throws {
      try withProcessPool(workers: 1) { (pool) throws in
        for n in 0..<20 {
          #expect(try pool.run(n, double) == 2 * n)
          let error = #expect(throws: TaskError.self) { try pool.run(Int32(3), leave) }
          #expect(error?.code == .workerDied && error?.status == .exited(3) && error?.task == 0)
        }
        #expect(try pool.run(7, double) == 14)
      }
    }

    @Test func retriesAndLimits() throws {
      let folder = TemporaryFolder()
      try withProcessPool(workers: 1) { (pool) throws in
        let flaky = RemoteFunction<Int, Int>(with: folder.marks) { marks, n in
          if marks.lines("tries").count < n { marks.set("tries", "x") } else { return n }
          return leave(1)
        }
        // The worker knows the function after the first call.
        #expect(try pool.run(0, flaky) == 0)
        #expect(try pool.run(2, retries: 2, flaky) == 2)
        #expect(throws: TaskError.self) {
          try pool.run(0, timeLimit: .milliseconds(20)) { (_: Int) in sleep(60) }
        }
        #expect(try pool.run(7, double) == 14)
      }
    }

    /// The task is in a worker that stops in it: other callers are served, and it goes on with the worker.
    @Test func oneThatTakesLong() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        #expect(try await pool.run(1, double) == 2)
        async let slow = pool.run(300_000) { (microseconds: UInt32) in usleep(microseconds) }
        for n in 0..<200 { #expect(try await pool.run(n, double) == 2 * n) }
        #expect(try await slow == 0)
      }
    }
  }
}

private func callBlocking(_ pool: ProcessPool, _ n: Int) throws -> Int { try pool.run(n, double) }

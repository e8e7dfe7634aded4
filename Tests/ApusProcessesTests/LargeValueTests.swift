import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  @Suite struct LargeValueTests {
    @Test(arguments: [100, 32 << 10, 64 << 10, 65_504, 65_536, 300_000, 20 << 20])
    func bytesThereAndBack(size: Int) async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let results = try await pool.map([bytes, [], bytes]) { $0.map { $0 ^ 0xff } }
        #expect(results.map(\.count) == [size, 0, size])
        #expect(results[2] == bytes.map { $0 ^ 0xff })
      }
    }

    @Test(arguments: [1, 1 << 12, 1 << 20])
    func codedValuesThereAndBack(count: Int) async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let words = (0..<count).map { "word number \($0)" }
        let results = try await pool.map([words, ["x"]]) { ["first"] + $0 }
        #expect(results == [["first"] + words, ["first", "x"]])
      }
    }

    @Test func aSmallArgumentWithALargeResultAndTheOtherWayRound() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let large = try await pool.map([1 << 20, 5, 1 << 21]) { [Double](repeating: 1, count: $0) }
        #expect(large.map(\.count) == [1 << 20, 5, 1 << 21])
        #expect(try await pool.map(large) { $0.reduce(0, +) } == [1_048_576, 5, 2_097_152])
      }
    }

    /// Among them small ones of another call, which are not held up for good.
    @Test func manyAtATime() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let small = Task { try await pool.map(0..<20_000, double) }
        let sums = try await pool.map((0..<20).map { [Int](repeating: $0, count: 100_000) }) {
          $0.reduce(0, +)
        }
        #expect(sums == (0..<20).map { $0 * 100_000 })
        #expect(try await small.value == (0..<20_000).map { 2 * $0 })
      }
    }

    @Test func aWorkerThatDiesInTheMiddleOfOne() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let outcomes = await pool.outcomes(of: 0..<6) { (n: Int) -> [UInt8] in
          if n == 3 {
            // While the result is being sent: the parent has to make room for it again and again.
            signal(SIGALRM, SIG_DFL)
            ualarm(2000, 0)
          }
          return [UInt8](repeating: UInt8(n), count: 100 << 20)
        }
        for (index, outcome) in outcomes.enumerated() where index != 3 {
          #expect(try outcome.get().count == 100 << 20)
        }
        #expect(throws: TaskError.self) { try outcomes[3].get() }
      }
    }

    /// `APUS_LONG_TESTS=1`: needs some 10 GiB of memory.
    @Test(.enabled(if: getenv("APUS_LONG_TESTS") != nil))
    func threeGibibytes() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let count = 3 << 27
        let numbers = [UInt64](unsafeUninitializedCapacity: count) { buffer, size in
          for index in 0..<count { buffer[index] = UInt64(index) }
          size = count
        }
        let back = try await pool.run(numbers) { $0 }
        #expect(back.count == count)
        #expect(back[count - 1] == UInt64(count - 1) && back[1 << 28] == 1 << 28)
      }
    }
  }
}

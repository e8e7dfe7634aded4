import Apus
import Synchronization
import Testing

extension ProcessPoolTests {
  @Suite struct MapTests {
    @Test(arguments: [0, 1, 2, 3, 1000, 100_000])
    func resultsComeInTheOrderOfTheInputs(count: Int) async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let raw = try await pool.map(0..<count, double)
        #expect(raw == (0..<count).map { $0 * 2 })
        let array = try await pool.map(Array(0..<count), double)
        #expect(array == raw)
        let coded = try await pool.map((0..<min(count, 2000)).map { "\($0)" }) { $0 + "!" }
        #expect(coded == (0..<min(count, 2000)).map { "\($0)!" })
      }
    }

    @Test func oneWorkerAndMoreWorkersThanInputs() async throws {
      for workers in [1, 5] {
        try await withProcessPool(workers: workers) { (pool) async throws in
          #expect(try await pool.map([1, 2, 3], double) == [2, 4, 6])
        }
      }
    }

    @Test func anyTypesThatAreCodable() async throws {
      struct Point: Codable, Sendable, Equatable { var x: Double, name: String? }
      try await withProcessPool(workers: 2) { (pool) async throws in
        let lengths: [Int] = try await pool.map(["a", "bc", ""], \.count)
        #expect(lengths == [1, 2, 0])
        let points = try await pool.map([1.5, 2.5]) { Point(x: $0, name: $0 > 2 ? "big" : nil) }
        #expect(points == [Point(x: 1.5, name: nil), Point(x: 2.5, name: "big")])
        let sums = try await pool.map([["a": [1, 2]], ["b": []]]) { $0.values.flatMap { $0 }.reduce(0, +) }
        #expect(sums == [3, 0])
        let bools: [Bool?] = try await pool.map([1, 2]) { $0 == 1 ? true : nil }
        #expect(bools == [true, nil])
      }
    }

    @Test func inputsMayComeFromALazySequence() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let results = try await pool.map((0..<5000).lazy.filter { $0 % 3 == 0 }.map { "\($0)" }) { Int($0)! }
        #expect(results == stride(from: 0, to: 5000, by: 3).map { $0 })
      }
    }

    /// Their number is not asked for: that would call the user's code once more.
    @Test func eachInputIsAskedForOnce() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let calls = Atomic<Int>(0)
        func calledFor(_ count: Int, _ call: () async throws -> Int) async throws {
          calls.store(0, ordering: .relaxed)
          #expect(try await call() == count)
          #expect(calls.load(ordering: .relaxed) == 700)
        }
        let even = (0..<700).lazy.filter { n in
          calls.add(1, ordering: .relaxed)
          return n % 2 == 0
        }
        try await calledFor(350) { try await pool.map(even, double).count }
        try await calledFor(350) { try await pool.map(even.map { "\($0)" }) { $0 + "!" }.count }
        try await calledFor(350) { await pool.outcomes(of: even, halve).count }
        let before = (0..<1000).lazy.prefix { n in
          calls.add(1, ordering: .relaxed)
          return n < 699
        }
        try await calledFor(699) { try await pool.map(before) { "\($0)" }.count }
      }
    }

    /// Of results whose number is not known beforehand those that have come are moved as more come.
    @Test func resultsThatTheirMemoryKnows() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let links = try await pool.map((0..<3000).lazy.filter { $0 % 3 != 0 }) { Link(number: $0) }
        #expect(links.map(\.number) == (0..<3000).filter { $0 % 3 != 0 })
        #expect(links.allSatisfy { $0.owner === Link.owner })
        let outcomes = await pool.outcomes(of: (0..<300).lazy.filter { $0 != 5 }.map { "\($0)" }) {
          Link(number: try halve(Int($0)!))
        }
        #expect(outcomes.count == 299 && outcomes.compactMap { try? $0.get() }.count == 150)
        #expect(outcomes.allSatisfy { (try? $0.get().owner === Link.owner) ?? true })
      }
    }

    /// The inputs of a range are never all in memory: a parent that had made an array of these would grow by 32 MiB.
    @Test func aRangeIsNotMadeAnArray() async throws {
      let run = try await runScenario("range")
      let words = run.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
      try #require(words.count == 2, "\(run.errors)")
      #expect(words[0] == 4 << 20)
      #expect(words[1] < 20 << 10, "grew by \(words[1]) KiB")
    }

    @Test func anErrorIsThrownWithItsTasksIndex() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) { try await pool.map([0, 2, 4, 7, 8], halve) }
        #expect(error?.code == .thrown)
        #expect(error?.task == 3)
        #expect(error?.underlyingError as? OddNumber == OddNumber(number: 7))
        #expect(try await pool.map([2, 4], halve) == [1, 2])
      }
    }

    /// The first error stops what runs, and what waits never runs.
    @Test func theFirstErrorCancelsTheRest() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) {
          try await pool.map(0..<1000, with: marks) { (marks, n: Int) in
            marks.set("began", "\(n)")
            if n == 0 {
              marks.wait(for: "one")
              throw OddNumber(number: 0)
            }
            if n == 1 { marks.set("one") }
            while !PoolTask.isCancelled { await Task.yield() }
            marks.set("stopped", "\(n)")
            return n
          }
        }
        #expect(error?.task == 0)
        #expect(await eventually { marks.lines("stopped").contains("1") })
        #expect(await eventually { marks.lines("stopped").count == marks.lines("began").count - 1 })
        // The worker of the failed task may have begun one more before the caller knew.
        #expect(marks.lines("began").count <= 3)
        #expect(try await pool.map([1, 2], double) == [2, 4])
      }
    }

    /// Under the address sanitizer this shows whether results are written after the call has thrown.
    @Test func mapsThatFailInTheMiddle() async throws {
      let run = try await runScenario("failing maps")
      #expect(run.output == "failed 300\n", "\(run.errors)")
    }

    /// Plain memory that is no array is drawn many at a time.
    @Test func anyCollectionOfPlainValues() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let expected = (0..<5000).map { 2 * $0 }
        #expect(try await pool.map(Array(0..<6000)[..<5000], double) == expected)
        #expect(try await pool.map((0..<10000).lazy.filter { $0 < 5000 }, double) == expected)
        #expect(try await pool.map(0...4999, double) == expected)
        #expect(try await pool.map(stride(from: 0, to: 5000, by: 1), double) == expected)
        #expect(try await pool.map(EmptyCollection<Int>(), double) == [])
        #expect(try await Set(pool.map(Set(0..<5000), double)) == Set(expected))
        #expect(try await pool.map(Miscounting(), double) == [0, 2, 4])
        let error = await #expect(throws: TaskError.self) {
          try await pool.map((0..<5000).lazy.map { $0 * 2 + ($0 == 4321 ? 1 : 0) }, halve)
        }
        #expect(error?.task == 4321)
        let outcomes = await pool.outcomes(of: ArraySlice(0..<3000), halve)
        #expect(
          outcomes.count == 3000
            && outcomes.enumerated().allSatisfy { ($0 % 2 == 0) == ((try? $1.get()) != nil) })
      }
    }
  }
}

/// A value that can't be moved as bytes.
private struct Link: Codable, @unchecked Sendable {
  final class Owner: Sendable {}
  static let owner = Owner()

  var number: Int
  weak var owner: Owner?

  init(number: Int) { (self.number, owner) = (number, Self.owner) }

  init(from decoder: any Decoder) throws {
    self.init(number: try decoder.singleValueContainer().decode(Int.self))
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(number)
  }
}

/// Says that it has five elements, and has three.
private struct Miscounting: Collection {
  var startIndex: Int { 0 }
  var endIndex: Int { 3 }
  var count: Int { 5 }
  subscript(index: Int) -> Int { index }
  func index(after index: Int) -> Int { index + 1 }
}

import ApusSystem
import ApusProcesses
import ApusWire
import Apus
import Glibc
import Testing

/// Counts in a mark how often it is encoded and decoded, and by whom.
private struct WordTable: Codable, Sendable {
  let marks: Marks
  var words: [String: Int]

  init(marks: Marks, words: [String: Int]) { (self.marks, self.words) = (marks, words) }

  init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    marks = try container.decode(Marks.self)
    words = try container.decode([String: Int].self)
    marks.set("decoded", "\(getpid())")
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    try container.encode(marks)
    try container.encode(words)
    marks.set("encoded", "\(getpid())")
  }
}

extension ProcessPoolTests {
  @Suite struct ContextTests {
    @Test func aContextIsSentOnceToEachWorker() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        let context = WordTable(marks: marks, words: ["one": 1, "two": 2])
        let values = try await pool.map(Array(repeating: ["one", "two", "x"], count: 500), with: context) {
          (context, words: [String]) in words.map { context.words[$0] ?? 0 }
        }
        #expect(values == Array(repeating: [1, 2, 0], count: 500))
        #expect(marks.lines("encoded") == ["\(getpid())"])
        let decoders = marks.lines("decoded")
        #expect(decoders.count <= 2 && Set(decoders).count == decoders.count)
        #expect(Set(decoders).isSubset(of: pool.processIdentifiers.map { "\($0)" }))
      }
    }

    @Test func aStoredFunctionSendsItsContextOnceForAllCalls() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let lookUp = RemoteFunction<String, Int>(with: WordTable(marks: marks, words: ["one": 1])) {
          $0.words[$1] ?? 0
        }
        for _ in 0..<10 { #expect(try await pool.map(["one", "two"], lookUp) == [1, 0]) }
        #expect(marks.lines("decoded").count == 1)
        #expect(marks.lines("encoded").count == 1)
      }
    }

    @Test func everyCallHasOne() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        #expect(try await pool.map([1, 2], with: 10) { $0 + $1 } == [11, 12])
        #expect(await pool.outcomes(of: [1, 2], with: 10) { $0 + $1 }.map { try? $0.get() } == [11, 12])
        #expect(try await pool.run(1, with: "a") { $0 + "\($1)" } == "a1")
        #expect(try await pool.submit(1, with: [5]) { $0 + [$1] }.value == [5, 1])
        #expect(try await pool.first(in: 0..<100, with: 50) { $1 > $0 } == 51)
        #expect(
          try await pool.results(of: 0..<3, with: 2) { $0 * $1 }.reduce(into: []) { $0.append($1) } == [
            0, 2, 4,
          ])
      }
    }

    @Test func asynchronousBodiesHaveOneToo() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let values = try await pool.map([1, 2], with: 10) { (context: Int, n: Int) in
          await Task.yield()
          return context * n
        }
        #expect(values == [10, 20])
      }
    }

    /// More of them than a worker keeps.
    @Test func manyDifferentOnes() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let functions = (0..<20).map { number in RemoteFunction<Int, Int>(with: number) { $0 * $1 } }
        for _ in 0..<3 {
          for (number, function) in functions.enumerated() {
            #expect(try await pool.map([1, 2, 3], function) == [number, 2 * number, 3 * number])
          }
        }
      }
    }

    @Test func aLargeOneArrives() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let table = (0..<1_000_000).map { $0 ^ 5 }
        let values = try await pool.map([0, 999_999, 77], with: table) { $0[$1] }
        #expect(values == [table[0], table[999_999], table[77]])
      }
    }

    /// A large one that no call can use any more is let go, in an idle pool as well.
    @Test(arguments: [1, 6]) func aLargeOneIsLetGo(calls: Int) async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let worker = try await pool.run(0) { (_: Int) in getpid() }
        let before = try #require(residentMegabytes(worker))
        for call in 0..<calls {
          let table = [Int](repeating: call, count: 8 << 20)  // 64 MiB
          #expect(try await pool.run(77, with: table) { $0[$1] } == call)
        }
        #expect(await eventually { residentMegabytes(worker) ?? 0 < before + 32 })
        #expect(try await pool.run(0) { (_: Int) in getpid() } == worker)
      }
    }

    /// After 2^32 functions the numbers do not begin again: a worker that knows the first takes the second for another.
    @Test func theNumbersOfFunctionsDoNotEnd() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let first = RemoteFunction<Int, Int>(with: 3) { $0 * $1 }
        #expect(try await pool.run(2, first) == 6)
        // The next one has the number of the first, but for what is above 32 bits.
        FunctionDefinition.skipNumbers((1 << 32) - 1)
        let second = RemoteFunction<Int, Int>(with: 5) { $0 * $1 }
        #expect(try await pool.run(2, second) == 10)
        #expect(try await pool.map([1, 2], first) == [3, 6])
        #expect(try await pool.map([1, 2], second) == [5, 10])
      }
    }

    /// What can still be called stays.
    @Test func aLargeOneOfAKeptFunctionStays() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let words = Dictionary(uniqueKeysWithValues: (0..<100_000).map { ("number \($0)", $0) })
        let lookUp = RemoteFunction<String, Int>(with: WordTable(marks: marks, words: words)) {
          $0.words[$1] ?? 0
        }
        for round in 0..<3 {
          #expect(try await pool.run("number \(round)", lookUp) == round)
          #expect(try await pool.run(1, with: [Int](repeating: 5, count: 1 << 20)) { $0[$1] } == 5)
        }
        #expect(marks.lines("decoded").count == 1)
      }
    }

    /// Not to every worker that is idle while the context is on its way.
    @Test func oneTaskSendsALargeContextToOneWorker() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 4) { (pool) async throws in
        let words = Dictionary(uniqueKeysWithValues: (0..<100_000).map { ("number \($0)", $0) })
        for _ in 0..<3 { _ = try await pool.map(0..<50, double) }
        let value = try await pool.run("number 7", with: WordTable(marks: marks, words: words)) {
          $0.words[$1] ?? 0
        }
        #expect(value == 7)
        #expect(marks.lines("decoded").count == 1)
      }
    }
  }
}

/// What a process has in memory.
private func residentMegabytes(_ process: Int32) -> Int? {
  guard let file = fopen("/proc/\(process)/statm", "re") else { return nil }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 200)
  guard fgets(&line, 200, file) != nil else { return nil }
  let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
  return pages.map { ($0 * Int(getpagesize())) >> 20 }
}

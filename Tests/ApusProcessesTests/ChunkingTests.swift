import Apus
import Glibc
import Testing

/// When something ran, by the clock that all processes share.
private struct Span: RawCodable {
  var start: UInt64
  var end: UInt64

  func overlaps(_ other: Span) -> Bool { start < other.end && other.start < end }
}

private func now() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// A long task waits until the other one has begun: that never happens where both lie in one worker.
private func long(_ number: Int, with marks: Marks, other: Int) -> Span {
  let start = now()
  marks.set("long \(number)")
  marks.wait(for: "long \(other)")
  usleep(100_000)
  return Span(start: start, end: now())
}

/// Tasks of some 10 ns, but for two.
private func mixed(_ marks: Marks, _ n: Int, _ longs: [Int]) -> Span {
  if n == longs[0] { return long(n, with: marks, other: longs[1]) }
  if n == longs[1] { return long(n, with: marks, other: longs[0]) }
  return Span(start: 0, end: 0)
}

extension ProcessPoolTests {
  @Suite struct ChunkingTests {
    /// Two long tasks behind thousands of short ones lie in the same chunk; they run at the same time all the same.
    @Test(arguments: [20_000, 20_002, 50_000])
    func neighbouringLongTasksRunSideBySide(count: Int) async throws {
      let longs = [20_000, 20_001]
      let folder = TemporaryFolder()
      try await withProcessPool(workers: 2) { (pool) async throws in
        let spans = try await pool.map(Array(0..<max(count, 20_002)), with: folder.marks) { (marks, n: Int) in
          mixed(marks, n, [20_000, 20_001])
        }
        #expect(spans[longs[0]].overlaps(spans[longs[1]]))
      }
    }

    @Test func thoseThatAreCodedToo() async throws {
      let folder = TemporaryFolder()
      try await withProcessPool(workers: 2) { (pool) async throws in
        let inputs = (0..<20_000).map { "\($0)" }
        let spans = try await pool.map(inputs, with: folder.marks) { (marks, n: String) in
          let span = mixed(marks, Int(n)!, [10_000, 10_001])
          return [span.start, span.end]
        }
        let longs = [spans[10_000], spans[10_001]].map { Span(start: $0[0], end: $0[1]) }
        #expect(longs[0].overlaps(longs[1]))
      }
    }

    /// With a body that takes no context the elements go through the specialised loop.
    @Test func inTheLoopOverPlainMemoryToo() async throws {
      let folder = "/tmp/apus-meeting-\(getpid())"
      mkdir(folder, 0o700)
      defer {
        for number in [20_000, 20_001] { unlink("\(folder)/long \(number)") }
        rmdir(folder)
      }
      try await withProcessPool(workers: 2) { (pool) async throws in
        let spans = try await pool.map(Array(0..<30_000)) { (n: Int) -> Span in
          guard n == 20_000 || n == 20_001 else { return Span(start: 0, end: 0) }
          return long(n, with: Marks(path: "/tmp/apus-meeting-\(getppid())"), other: 40_001 - n)
        }
        #expect(spans[20_000].overlaps(spans[20_001]))
      }
    }

    @Test(arguments: [1, 2, 7, 1000, 100_000])
    func fixedChunksGiveTheSameResults(size: Int) async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        #expect(try await pool.map(0..<3000, chunking: .fixed(size), double) == (0..<3000).map { 2 * $0 })
        let strings = try await pool.map((0..<300).map { "\($0)" }, chunking: .fixed(size)) { $0 + "x" }
        #expect(strings == (0..<300).map { "\($0)x" })
        var sum = 0
        for try await value in pool.results(of: 0..<300, window: 50, chunking: .fixed(size), double) {
          sum += value
        }
        #expect(sum == 300 * 299)
      }
    }

    /// Tasks of a fixed chunk run one after the other in one worker, as long as no worker is idle.
    @Test func aFixedChunkStaysTogether() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let order = try await pool.map((0..<40).map { "\($0)" }, chunking: .fixed(10)) { (_: String) in now()
        }
        #expect(order == order.sorted())
      }
    }

    @Test func tasksAreSpreadOverTheWorkers() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let workers = try await pool.map(0..<40) { (_: Int) in
          usleep(5000)
          return getpid()
        }
        #expect(Set(workers).count == 2)
      }
    }
  }
}

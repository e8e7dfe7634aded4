import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  @Suite struct FirstTests {
    @Test func theFirstInTheOrderOfTheInputsIsFound() async throws {
      let folder = TemporaryFolder()
      try await withProcessPool(workers: 2) { (pool) async throws in
        // 5 is true earlier than 3, which waits for it.
        let found = try await pool.first(in: [1, 3, 5, 7], with: folder.marks) { (marks, n: Int) in
          if n == 5 { marks.set("five") }
          if n == 3 { marks.wait(for: "five") }
          return n >= 3
        }
        #expect(found == 3)
      }
    }

    @Test func anEndlessSequenceEndsAtTheMatch() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let inputs = Counted()
        #expect(try await pool.first(in: inputs, where: { $0 * $0 > 1_000_000 }) == 1001)
        #expect(inputs.drawn > 1001)
      }
    }

    @Test func nothingIsFoundWhereThereIsNothing() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        #expect(try await pool.first(in: 0..<1000, where: { $0 < 0 }) == nil)
        #expect(try await pool.first(in: [Int](), where: { $0 == 0 }) == nil)
      }
    }

    @Test func theRestIsStopped() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        let found = try await pool.first(in: 0..<1000, with: marks) { (marks, n: Int) in
          if n == 0 { return marks.wait(for: "began") }
          marks.set("began", "\(n)")
          while !PoolTask.isCancelled { usleep(1000) }
          marks.set("stopped", "\(n)")
          return false
        }
        #expect(found == 0)
        #expect(await eventually { marks.lines("stopped").sorted() == marks.lines("began").sorted() })
        #expect(marks.lines("began").count <= 2)
      }
    }

    @Test func aFailureBeforeTheMatchIsThrownAndOneAfterItIsNot() async throws {
      let folder = TemporaryFolder()
      try await withProcessPool(workers: 2) { (pool) async throws in
        let found = try await pool.first(in: [2, 1, 4], with: folder.marks) { (marks, n: Int) in
          if n == 2 { return marks.wait(for: "thrown") }
          marks.set("thrown")
          throw OddNumber(number: n)
        }
        #expect(found == 2)
        let error = await #expect(throws: TaskError.self) {
          try await pool.first(in: [2, 1, 4]) { (n: Int) in
            if n == 1 { throw OddNumber(number: n) }
            return n == 4
          }
        }
        #expect(error?.task == 1)
      }
    }

    /// While an early input takes its time, the later ones are not drawn without end.
    @Test func anEarlyInputThatTakesLongBoundsWhatIsDrawn() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      let inputs = Counted()
      try await withProcessPool(workers: 2) { (pool) async throws in
        let task = Task {
          try await pool.first(in: inputs, with: marks) { (marks, n: Int) in
            n == 0 ? marks.wait(for: "go on") : false
          }
        }
        try await Task.sleep(for: .milliseconds(500))
        #expect(inputs.drawn <= 1000)
        marks.set("go on")
        #expect(try await task.value == 0)
      }
    }
  }
}

import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  @Suite struct OutcomesTests {
    @Test func everyTaskHasItsOwnOutcome() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let outcomes = await pool.outcomes(of: 0..<100, halve)
        #expect(outcomes.count == 100)
        for (index, outcome) in outcomes.enumerated() {
          switch outcome {
          case .success(let value): #expect(index % 2 == 0 && value == index / 2)
          case .failure(let error):
            #expect(index % 2 == 1)
            #expect(error.code == .thrown && error.task == index)
            #expect(error.underlyingError as? OddNumber == OddNumber(number: index))
          }
        }
      }
    }

    @Test func ofNothingThereAreNone() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        #expect(await pool.outcomes(of: [Int](), double).isEmpty)
        #expect(await pool.outcomes(of: [String]()) { $0 + "" }.isEmpty)
      }
    }

    /// When the caller is cancelled, what is done counts, and every other input has an outcome too.
    @Test(arguments: [true, false])
    func cancellationKeepsWhatIsDone(plain: Bool) async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        let body = RemoteFunction<Int, Int>(with: marks) { marks, n in
          if n == 5 {
            marks.set("five")
            while !PoolTask.isCancelled { usleep(1000) }
          }
          return n
        }
        let coded = RemoteFunction<String, String>(with: marks) { marks, n in
          if n == "5" {
            marks.set("five")
            while !PoolTask.isCancelled { usleep(1000) }
          }
          return n
        }
        let task = Task {
          plain
            ? await pool.outcomes(of: Array(0..<20), chunking: .fixed(1), body).map { $0.map { "\($0)" } }
            : await pool.outcomes(of: (0..<20).map { "\($0)" }, chunking: .fixed(1), coded)
        }
        #expect(await eventually { marks.isSet("five") })
        task.cancel()
        let outcomes = await task.value
        #expect(outcomes.count == 20)
        for (index, outcome) in outcomes.enumerated() {
          switch outcome {
          case .success(let value): #expect(index < 5 && value == "\(index)")
          case .failure(let error): #expect(index >= 5 && error.code == .cancelled && error.task == index)
          }
        }
      }
    }
  }
}

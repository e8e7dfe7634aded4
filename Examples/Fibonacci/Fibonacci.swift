// The naive Fibonacci function, mapped over six numbers by two worker processes.
import Apus

func fib(_ n: Int) -> Int { n <= 2 ? 1 : fib(n - 1) + fib(n - 2) }

@main
struct Fibonacci {
  static func main() async throws {
    let numbers = [38, 37, 36, 35, 34, 33]
    let clock = ContinuousClock()

    var results: [Int] = []
    let parallel = try await clock.measure {
      results = try await withProcessPool(workers: 2) { pool in
        try await pool.map(numbers, fib)
      }
    }
    print(results)

    let sequential = clock.measure { precondition(numbers.map(fib) == results) }
    let speedUp = (sequential / parallel * 100).rounded() / 100
    print(
      "sequentially \(sequential), on two workers, their start included, \(parallel): \(speedUp) times as fast"
    )
  }
}

// The naive Fibonacci function, mapped over six numbers by the ranks of a job: alone, under `apus launch -n 4`, or on
// as many machines as an `mpirun` reaches. It differs from a process pool's program in the line that makes the pool.
import Apus

func fib(_ n: Int) -> Int { n <= 2 ? 1 : fib(n - 1) + fib(n - 2) }

@main
struct ClusterFibonacci {
  static func main() async throws {
    try await withRankPool(Communicator.world()) { pool in
      print(try await pool.map([30, 29, 28, 27, 26, 25], fib))
    }
  }
}

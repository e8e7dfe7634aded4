// Its body reads a variable of the top level, which is zero in a worker. Prints what the body saw, in a worker
// and here; the library is to warn on standard error and name the variable.
import Apus

let factor = Int(CommandLine.arguments.count) * 10
func timesFactor(_ x: Int) -> Int { x * factor }

try await withProcessPool(workers: 1) { pool in
  print("worker", try await pool.run(1) { timesFactor($0) })
  print("here", timesFactor(1))
}

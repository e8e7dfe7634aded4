import Apus
import Glibc

/// Pools that come and go, with a task that is awaited in the background while short ones are called: callers
/// that suspend, the engine's thread and callers that look for themselves pass the work to each other all the time.
enum Rounds {
  static func play() async throws {
    for round in 0..<150 {
      let pool = try ProcessPool(workers: 2)
      let long = pool.submit(0) { (n: Int) in usleep(3000) }
      for number in 0..<50 where try await pool.run(number, double) != 2 * number { print("wrong", round) }
      _ = try await long.value
      await pool.shutdown()
    }
    print("done")
  }
}

import Apus

/// Maps of plain numbers that fail in the middle, again and again, while other workers still write results.
/// For the address sanitizer: nothing may be written where the results were to go once the call has thrown.
enum FailingMaps {
  static func play() async throws {
    try await withProcessPool(workers: 2) { pool in
      var failed = 0
      for _ in 0..<300 {
        do {
          _ = try await pool.map(Array(0..<20_000)) { (n: Int) throws -> Int in
            if n == 10_000 { throw NumberRefused() }
            return n
          }
        } catch { failed += 1 }
      }
      print("failed", failed)
    }
  }
}

struct NumberRefused: Error {}

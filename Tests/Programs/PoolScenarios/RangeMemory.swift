import Apus
import Glibc

/// A map over a range with small results: prints how many came, and by how many KiB the program grew meanwhile.
enum RangeMemory {
  static func play() async throws {
    try await withProcessPool(workers: 1) { pool in
      // The rings are in memory after this.
      _ = try await pool.map(0..<1 << 18) { UInt8(truncatingIfNeeded: $0) }
      let before = peak()
      let results = try await pool.map(0..<4 << 20) { UInt8(truncatingIfNeeded: $0) }
      print(results.count, peak() - before)
    }
  }

  /// In KiB.
  private static func peak() -> Int {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    return usage.ru_maxrss
  }
}

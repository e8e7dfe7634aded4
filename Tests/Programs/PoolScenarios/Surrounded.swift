import Apus
import Glibc

/// A program that is started in odd surroundings: works as anywhere else, or says why it can't.
enum Surrounded {
  /// Prints, on both sides, and computes. Ends with 1 if a result is wrong: the streams may be closed.
  static func play() async throws {
    try await withProcessPool(workers: 2) { pool in
      for round in 0..<3 {
        for line in 0..<200 { print("parent \(round) \(line)") }
        let texts = try await pool.map(0..<40) { (n: Int) -> String in
          print("body \(n)")
          printError("body \(n)")
          return "\(n) \(n * n)"
        }
        guard texts == (0..<40).map({ "\($0) \($0 * $0)" }) else { exit(1) }
        let doubled = try await pool.map(0..<1000, double)
        guard doubled == (0..<1000).map({ 2 * $0 }) else { exit(1) }
      }
    }
    print("all is right")
  }

  /// A pool with so many megabytes of addresses left.
  static func addressSpace(_ more: Int) async throws {
    var used = 0
    if let file = fopen("/proc/self/statm", "re") {
      var line = [CChar](repeating: 0, count: 256)
      fgets(&line, 256, file)
      used = Int(atol(line)) * sysconf(Int32(_SC_PAGESIZE))
      fclose(file)
    }
    await Limits.with(RLIMIT_AS, used + more << 20) {
      await Limits.report {
        try await withProcessPool(workers: 1) { print(try await $0.run(1, double)) }
      }
    }
  }
}

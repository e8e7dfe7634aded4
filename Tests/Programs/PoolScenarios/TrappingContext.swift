import Apus

/// A context that no worker survives.
struct TrappingContext: Codable, Sendable {
  init() {}
  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(1)
  }
  init(from decoder: any Decoder) throws { fatalError("this context traps") }

  static func play() async throws {
    try await withProcessPool(workers: 2) { pool in
      do {
        _ = try await pool.map([1, 2, 3], with: TrappingContext()) { $1 }
      } catch { print("failed") }
      print(try await pool.run(1, double))
    }
  }
}

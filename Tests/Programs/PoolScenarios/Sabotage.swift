import Apus
import Glibc

/// Workers that run wild and scribble over the memory that they share with their parent.
enum Sabotage: Int, Codable, CaseIterable {
  case ones, zeros, noise, words, headers, positions

  private func happen(_ start: UnsafeMutableRawPointer, _ size: Int) {
    let head = 4096
    // The results made before are read first (the words of `Channel.resultHead` and `resultTail` agree): what
    // becomes of one that is overwritten before that, nobody can say.
    for _ in 0..<100_000
    where start.load(fromByteOffset: 2 * 128, as: UInt64.self)
      != start.load(fromByteOffset: 4 * 128, as: UInt64.self)
    { sched_yield() }
    var generator = SystemRandomNumberGenerator()
    switch self {
    case .ones: memset(start, 0xff, size)
    case .zeros: memset(start, 0, size)
    case .noise:
      for at in stride(from: 0, to: size, by: 8) {
        start.storeBytes(of: generator.next(), toByteOffset: at, as: UInt64.self)
      }
    case .words:
      for at in stride(from: 0, to: head, by: 8) {
        start.storeBytes(of: 1 << 40, toByteOffset: at, as: UInt64.self)
      }
    case .headers: memset(start + head, 0xee, size - head)
    case .positions:
      for line in 1..<8 { start.storeBytes(of: .max - 64, toByteOffset: line * 128, as: UInt64.self) }
    }
  }

  /// Finds its channel by the kernel's list of mappings, as a stray pointer might.
  func happen() {
    guard let maps = fopen("/proc/self/maps", "re") else { return }
    var line = [CChar](repeating: 0, count: 1024)
    while fgets(&line, 1024, maps) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard text.contains("apus-channel") else { continue }
      let ends = text.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
      happen(UnsafeMutableRawPointer(bitPattern: ends[0])!, Int(ends[1] - ends[0]))
    }
    fclose(maps)
  }

  /// One of sixty tasks does it. Prints what became of them, and whether the pool works afterwards.
  static func play(_ name: String, chunk: Int) async throws {
    let how = allCases.first { "\($0)" == name }!
    try await withProcessPool(workers: 2) { (pool) async throws in
      let outcomes = await pool.outcomes(of: 0..<60, with: how, chunking: .fixed(chunk)) {
        (how, n: Int) -> String in
        if n == 33 { how.happen() }
        return "\(n)"
      }
      print(outcomes.count)
      for (index, outcome) in outcomes.enumerated() {
        switch outcome {
        case .success(let value): if value != "\(index)" { print("wrong", index, value) }
        case .failure(let error): print("failed", index, error.code)
        }
      }
      print(try await pool.map(0..<1000, double) == (0..<1000).map { 2 * $0 } ? "works" : "broken")
    }
  }
}

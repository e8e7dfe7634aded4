import ApusWire
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Damages valid messages in every way it can think of and decodes them. That the process lives to report is
/// half of the test; the other half is that no result is larger than a fixed multiple of its message.
///
/// `APUS_FUZZ_ITERATIONS` sets how often, `APUS_FUZZ_SEED` with what.
@Suite struct WireFuzz {
  @Test func mutations() throws {
    let iterations = environment("APUS_FUZZ_ITERATIONS").flatMap(Int.init) ?? 200_000
    let seed = environment("APUS_FUZZ_SEED").flatMap(UInt64.init) ?? 0x41_70_75_73
    print("wire fuzz: seed \(seed), \(iterations) iterations")
    var random = SplitMix(state: seed)
    let targets = try Self.targets()
    let corpus = targets.flatMap(\.seeds)
    var accepted = 0
    var worst = 0.0
    let start = ContinuousClock.now
    for _ in 0..<iterations {
      let target = targets[random.below(targets.count)]
      var bytes = target.seeds[random.below(target.seeds.count)]
      for _ in 0...random.below(3) { Self.mutate(&bytes, corpus: corpus, &random) }
      guard let size = target.decode(bytes) else { continue }
      accepted += 1
      worst = max(worst, Double(size) / Double(bytes.count + 64))
      if size > target.factor * (bytes.count + 64) {
        Issue.record("\(target.name): \(size) bytes were made of \(bytes.count): \(bytes)")
      }
    }
    print("wire fuzz: \(ContinuousClock.now - start), \(accepted) accepted, largest growth \(worst)")
    #expect(accepted > 0)
  }

  private static func mutate(_ bytes: inout [UInt8], corpus: [[UInt8]], _ random: inout SplitMix) {
    guard !bytes.isEmpty else {
      bytes = (0..<random.below(40)).map { _ in random.byte() }
      return
    }
    let position = random.below(bytes.count)
    switch random.below(10) {
    case 0: bytes[position] ^= 1 << UInt8(random.below(8))
    case 1: bytes[position] = random.byte()
    case 2: bytes[position] = UInt8(random.below(0x20))  // a tag, most likely
    case 3: bytes.removeLast(bytes.count - position)
    case 4:  // a length becomes huge
      for index in position..<min(bytes.count, position + 1 + random.below(9)) { bytes[index] = 0xFF }
    case 5:  // a length becomes a little larger or smaller
      bytes[position] = bytes[position] &+ UInt8(truncatingIfNeeded: random.below(9) - 4)
    case 6:  // a piece of another message
      let other = corpus[random.below(corpus.count)]
      let from = random.below(other.count)
      let piece = other[from..<min(other.count, from + 1 + random.below(40))]
      bytes.replaceSubrange(position..<min(bytes.count, position + random.below(40)), with: piece)
    case 7:  // a piece of itself again
      let piece = Array(bytes[position..<min(bytes.count, position + 1 + random.below(30))])
      bytes.insert(contentsOf: piece, at: position)
    case 8: bytes.removeSubrange(position..<min(bytes.count, position + 1 + random.below(12)))
    default: bytes.insert(contentsOf: (0..<(1 + random.below(9))).map { _ in random.byte() }, at: position)
    }
  }

  // MARK: Targets

  private struct Target {
    let name: String
    let seeds: [[UInt8]]
    /// How many bytes a result may take for each byte of the message and of an allowance.
    let factor: Int
    /// The size of the result, or nil for an error.
    let decode: ([UInt8]) -> Int?
  }

  private static func target<T: Codable>(
    _ values: [T], factor: Int, _ size: @escaping (T) -> Int
  ) throws -> Target {
    let codec = ValueCodec<T>()
    let seeds = try values.map { try wireBytes($0) }.filter { !$0.isEmpty }
    return Target(name: "\(T.self)", seeds: seeds, factor: factor) { bytes in
      (try? bytes.withUnsafeBytes { try codec.decode($0) }).map(size)
    }
  }

  private struct Small: Codable {
    var id: Int, name: String, x: Double, ok: Bool, narrow: UInt8?
  }

  private struct Numbers: Codable {
    var a: [Int32], b: [Double], c: ContiguousArray<UInt8>, d: [SIMD4<Float>]
    var e: Int128, f: Float, g: Set<Int>
  }

  /// Reads an array that travelled as memory one by one, and everything else that an unkeyed container offers.
  private struct OneByOne: Codable {
    var values: [Int16] = []
    init(_ values: [Int16]) { self.values = values }
    func encode(to encoder: any Encoder) throws { try values.encode(to: encoder) }
    init(from decoder: any Decoder) throws {
      var container = try decoder.unkeyedContainer()
      _ = container.count
      while !container.isAtEnd {
        values.append(try container.decodeNil() ? 0 : container.decode(Int16.self))
      }
    }
  }

  private static func targets() throws -> [Target] {
    let text = ["", "a", "naïve 🐦", String(repeating: "long ", count: 20)]
    let small = text.map { Small(id: -5, name: $0, x: .pi, ok: true, narrow: $0.isEmpty ? nil : 9) }
    let numbers = Numbers(
      a: [1, 2, 3], b: [1.5], c: [1, 2], d: [.zero, .one], e: .max, f: 1.5, g: [1, 1 << 40])
    return [
      try target([1, Int.max], factor: 1) { _ in 8 },
      try target(text, factor: 2) { $0.utf8.count },
      try target([text], factor: 32) { $0.reduce(0) { $0 + 16 + $1.utf8.count } },
      try target([[true, false]], factor: 1, \.count),
      try target([[1.0, 2, 3]], factor: 1) { $0.count * 8 },
      try target([Int??.some(nil), 5], factor: 1) { _ in 16 },
      try target([[1, nil, 300, -1, Int.min]], factor: 16) { $0.count * 16 },
      try target(small, factor: 8) { 48 + $0.name.utf8.count },
      try target([small], factor: 64) { $0.reduce(0) { $0 + 64 + $1.name.utf8.count } },
      try target([numbers], factor: 64) {
        $0.a.count * 4 + $0.b.count * 8 + $0.c.count + $0.d.count * 16 + $0.g.count * 24
      },
      try target([WireRecord.example], factor: 64, recordSize),
      try target([[WireShape.pair(.named("x", sides: [1, 2]), .circle(radius: 1)), .empty]], factor: 64) {
        $0.reduce(0) { $0 + shapeSize($1) }
      },
      try target([["a": [1: "x", 2: "y"], "b": [:]]], factor: 128) {
        $0.reduce(0) { $0 + 64 + $1.key.utf8.count + $1.value.reduce(0) { $0 + 32 + $1.value.utf8.count } }
      },
      try target([OneByOne([1, -2, 300])], factor: 2) { $0.values.count * 2 },
    ]
  }

  private static func recordSize(_ record: WireRecord) -> Int {
    record.children.reduce(
      160 + record.name.utf8.count + record.weights.count * 8 + record.flags.count
        + (record.note?.utf8.count ?? 0) + shapeSize(record.shape)
    ) { $0 + recordSize($1) }
  }

  private static func shapeSize(_ shape: WireShape) -> Int {
    switch shape {
    case .empty, .circle: 32
    case .pair(let first, let second): 64 + shapeSize(first) + shapeSize(second)
    case .named(let name, let sides): 64 + name.utf8.count + (sides?.count ?? 0) * 8
    }
  }
}

private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

private struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next() >> 33) % max(bound, 1) }

  mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next() >> 40) }
}

import ApusSystem
import ApusWire
import ApusMessages
import TestSupport
import Testing

/// The operators themselves.
@Suite(.blocks) struct CollectiveOperatorTests {
  /// Combines two arrays in each of the ways that an operator may be called in.
  private func check<T: BitwiseCopyable & Equatable>(
    _ operation: ElementOperator, _ left: [T], _ right: [T], _ combine: (T, T) -> T, _ name: String
  ) throws {
    let expected = zip(left, right).map(combine)
    let bytes = left.count * MemoryLayout<T>.stride
    var (intoLeft, intoRight, apart) = (left, right, left)
    try intoLeft.withUnsafeMutableBytes { intoLeft in
      try intoRight.withUnsafeMutableBytes { intoRight in
        try apart.withUnsafeMutableBytes { apart in
          try left.withUnsafeBytes { left in
            try right.withUnsafeBytes { right in
              let count = bytes / operation.stride
              try operation.combine(left.baseAddress!, right.baseAddress!, apart.baseAddress!, count)
              try operation.combine(intoLeft.baseAddress!, right.baseAddress!, intoLeft.baseAddress!, count)
              try operation.combine(left.baseAddress!, intoRight.baseAddress!, intoRight.baseAddress!, count)
            }
          }
        }
      }
    }
    #expect(apart == expected, "\(T.self) \(name)")
    #expect(intoLeft == expected, "\(T.self) \(name) into the left operand")
    #expect(intoRight == expected, "\(T.self) \(name) into the right operand")
  }

  private func integers<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws {
    let data = MadeUp(seed: 1)
    // Some zeros for the logical operators, and an odd number for what is left over by vectors.
    func operand(_ rank: Int) -> [T] {
      (0..<77).map { data.number(rank, -$0) % 3 == 0 ? 0 : T(truncatingIfNeeded: data.number(rank, $0)) }
    }
    let (left, right) = (operand(0), operand(1))
    try check(.sum(type), left, right, { $0 &+ $1 }, "sum")
    try check(.product(type), left, right, { $0 &* $1 }, "product")
    try check(.min(type), left, right, { Swift.min($0, $1) }, "min")
    try check(.max(type), left, right, { Swift.max($0, $1) }, "max")
    try check(.bitwiseAnd(type), left, right, { $0 & $1 }, "and")
    try check(.bitwiseOr(type), left, right, { $0 | $1 }, "or")
    try check(.bitwiseXor(type), left, right, { $0 ^ $1 }, "xor")
    try check(.logicalAnd(type), left, right, { $0 != 0 && $1 != 0 ? 1 : 0 }, "logical and")
    try check(.logicalOr(type), left, right, { $0 != 0 || $1 != 0 ? 1 : 0 }, "logical or")
    try check(.logicalXor(type), left, right, { ($0 != 0) != ($1 != 0) ? 1 : 0 }, "logical xor")
  }

  private func numbers<T: BinaryFloatingPoint & BitwiseCopyable>(_ type: T.Type) throws {
    let data = MadeUp(seed: 2)
    func operand(_ rank: Int) -> [T] { (0..<77).map { T(data.number(rank, $0) % 2000) / 7 - 100 } }
    let (left, right) = (operand(0), operand(1))
    try check(.sum(type), left, right, { $0 + $1 }, "sum")
    try check(.product(type), left, right, { $0 * $1 }, "product")
    try check(.min(type), left, right, { Swift.min($0, $1) }, "min")
    try check(.max(type), left, right, { Swift.max($0, $1) }, "max")
  }

  @Test func standardTypes() throws {
    try integers(Int.self)
    try integers(Int8.self)
    try integers(Int16.self)
    try integers(Int32.self)
    try integers(Int64.self)
    try integers(Int128.self)
    try integers(UInt.self)
    try integers(UInt8.self)
    try integers(UInt16.self)
    try integers(UInt32.self)
    try integers(UInt64.self)
    try integers(UInt128.self)
    try numbers(Float.self)
    try numbers(Double.self)
    #if !(os(macOS) && arch(x86_64))
      try numbers(Float16.self)
    #endif
  }

  /// A type for which no loop is compiled.
  struct Version: BitwiseCopyable, Comparable {
    var major: Int32
    var minor: Int8

    static func < (a: Version, b: Version) -> Bool { (a.major, a.minor) < (b.major, b.minor) }
  }

  @Test func otherTypes() throws {
    let left = (0..<20).map { Version(major: $0 % 3, minor: Int8($0 % 5)) }
    let right = (0..<20).map { Version(major: $0 % 2, minor: Int8($0 % 7)) }
    try check(.min(Version.self), left, right, { Swift.min($0, $1) }, "min")
    try check(.max(Version.self), left, right, { Swift.max($0, $1) }, "max")
    #expect(ElementOperator.max(Version.self).stride == 8)
  }

  /// Sums of floating-point numbers depend on their order; but every rank gets the same bits.
  @Test(arguments: [2, 3, 5, 6, 7, 8], AllReduceAlgorithm.allCases)
  func sameBitsEverywhere(size: Int, algorithm: AllReduceAlgorithm) async throws {
    let data = MadeUp(seed: 3)
    @Sendable func operand(_ rank: Int) -> [Double] {
      (0..<1001).map { Double(bitPattern: data.number(rank, $0) & ~(0x3FF << 53) | 0x1FF << 53) }
    }
    let results = await ThreadRanks.run(size, .synchronous) { rank in
      var numbers = operand(rank.rank)
      try numbers.withUnsafeMutableBytes {
        try rank.allReduce($0, .sum(Double.self), tag: 1, by: algorithm)
      }
      return numbers.map(\.bitPattern)
    }
    let bits = try results.map { try $0.get() }
    #expect(bits.allSatisfy { $0 == bits[0] })
    for index in 0..<1001 {
      let operands = (0..<size).map { operand($0)[index] }
      let magnitude = operands.reduce(0) { $0 + abs($1) }
      #expect(abs(Double(bitPattern: bits[0][index]) - operands.reduce(0, +)) <= magnitude * 1e-13)
    }
  }

  struct Refusal: Error {}

  /// A rank whose operator throws throws that; the others don't get a result that is wrong.
  @Test(arguments: 2...5)
  func throwingOperator(size: Int) async {
    typealias Operation =
      @Sendable (ThreadRank, UnsafeMutableRawBufferPointer, ElementOperator) throws -> Void
    var operations: [Operation] = []
    for algorithm in AllReduceAlgorithm.allCases {
      operations.append { try $0.allReduce($1, $2, tag: 1, by: algorithm) }
    }
    for algorithm in ReduceAlgorithm.allCases {
      operations.append { try $0.reduce(.init($1), into: $1, $2, to: 0, tag: 1, by: algorithm) }
    }
    for algorithm in ScanAlgorithm.allCases {
      operations.append { try $0.scan($1, $2, tag: 1, by: algorithm) }
      operations.append { rank, memory, operation in
        // Two ranks have nothing to combine for it.
        guard rank.size > 2 else { throw Refusal() }
        try rank.exclusiveScan(memory, operation, tag: 1, by: algorithm)
      }
    }
    for operation in operations {
      let results = await ThreadRanks.run(size, .buffered) { rank in
        var numbers = [Int](repeating: 1, count: 100)
        let refusing = ElementOperator(Int.self, isCommutative: true) { _, _ in throw Refusal() }
        try numbers.withUnsafeMutableBytes { try operation(rank, $0, refusing) }
      }
      let isRefused = results.contains {
        if case .failure(let error) = $0 { error is Refusal } else { false }
      }
      #expect(isRefused)
    }
    let results = await ThreadRanks.run(size, .buffered) { rank in
      let refusing = ValueOperator(isCommutative: true) { _, _, _ in throw Refusal() }
      let result = ByteBuffer()
      try [UInt8(1)].withUnsafeBytes {
        try rank.allReduce(valueIn: $0, appendingTo: result, refusing, tag: 1)
      }
    }
    #expect(results.contains { if case .failure(let error) = $0 { error is Refusal } else { false } })
  }
}

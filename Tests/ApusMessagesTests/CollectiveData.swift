import ApusSystem
import ApusWire
import ApusMessages

/// x ↦ ax + b over integers that wrap: doing one after the other does not commute.
struct Affine: BitwiseCopyable, Equatable {
  var a, b: UInt64

  func then(_ next: Affine) -> Affine { Affine(a: a &* next.a, b: b &* next.a &+ next.b) }
}

/// What the ranks of a test have, made up from a number: each rank knows what all others have.
struct MadeUp: Sendable {
  let seed: UInt64

  func number(_ rank: Int, _ index: Int) -> UInt64 {
    var z =
      seed &+ UInt64(truncatingIfNeeded: rank) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(truncatingIfNeeded: index)
      &* 0xD1B5_4A32_D192_ED03
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  func bytes(_ rank: Int, count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      var index = 0
      while index < count {
        var word = number(rank, index)
        for place in index..<Swift.min(index + 8, count) {
          buffer[place] = UInt8(truncatingIfNeeded: word)
          word >>= 8
        }
        index += 8
      }
      initialized = count
    }
  }

  func maps(_ rank: Int, count: Int) -> [Affine] {
    (0..<count).map { Affine(a: number(rank, $0), b: number(rank, ~$0)) }
  }

  /// Unequal lengths of which many are 0, about `length` at most.
  func lengths(_ rank: Int, count: Int, upTo length: Int) -> [Int] {
    (0..<count).map {
      let number = number(rank, -1000 - $0)
      return number % 3 == 0 ? 0 : Int(number / 3 % UInt64(length + 1))
    }
  }
}

/// What a rank got and what it should have got.
struct Mismatch: Error, CustomStringConvertible {
  let description: String
}

func expectSame<T: Equatable>(_ got: T, _ expected: T, _ what: @autoclosure () -> String) throws {
  guard got != expected else { return }
  throw Mismatch(description: "\(what()): got \("\(got)".prefix(200)), not \("\(expected)".prefix(200))")
}

extension ByteBuffer {
  convenience init(_ contents: [UInt8]) {
    self.init(capacity: contents.count)
    contents.withUnsafeBytes { append(contentsOf: $0) }
  }

  var contents: [UInt8] { [UInt8](bytes) }
}

extension Pieces {
  init(_ pieces: [[UInt8]]) {
    self.init()
    for piece in pieces { append { buffer in piece.withUnsafeBytes { buffer.append(contentsOf: $0) } } }
  }

  var contents: [[UInt8]] { ranges.indices.map { [UInt8](self[$0]) } }
}

extension ElementOperator {
  static var affine: ElementOperator { ElementOperator(Affine.self, isCommutative: false) { $0.then($1) } }
}

extension ValueOperator {
  /// Shows any change of order.
  static var concatenation: ValueOperator {
    ValueOperator(isCommutative: false) { left, right, result in
      result.append(contentsOf: left)
      result.append(contentsOf: right)
    }
  }

  /// The bytes of both in ascending order.
  static var merge: ValueOperator {
    ValueOperator(isCommutative: true) { left, right, result in
      ([UInt8](left) + [UInt8](right)).sorted().withUnsafeBytes { result.append(contentsOf: $0) }
    }
  }
}

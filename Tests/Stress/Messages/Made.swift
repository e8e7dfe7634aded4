import Apus
import StressSupport

/// A type whose values are made up from random numbers, so that each rank can make up what the others have.
protocol Made: Codable, Equatable, Sendable {
  /// Of how many bytes an array has one: more than it has where it takes long to encode.
  static var unit: Int { get }
  /// One of about `size` bytes, where that varies.
  static func make(_ random: inout Random, size: Int) -> Self
  static func many(_ random: inout Random, count: Int) -> [Self]
}

extension Made {
  static var unit: Int { MemoryLayout<Self>.stride }
  static func many(_ random: inout Random, count: Int) -> [Self] {
    (0..<count).map { _ in make(&random, size: 64) }
  }
}

extension Int: Made {
  static func make(_ random: inout Random, size: Int) -> Int { Int(truncatingIfNeeded: random.next()) }
}

extension Int32: Made {
  static func make(_ random: inout Random, size: Int) -> Int32 { Int32(truncatingIfNeeded: random.next()) }
}

extension UInt8: Made {
  static func make(_ random: inout Random, size: Int) -> UInt8 { UInt8(truncatingIfNeeded: random.next()) }

  static func many(_ random: inout Random, count: Int) -> [UInt8] {
    var words = [UInt64](repeating: 0, count: (count + 7) / 8)
    for index in words.indices { words[index] = random.next() }
    return words.withUnsafeBytes { Array($0[..<count]) }
  }
}

extension Double: Made {
  /// A whole number, so that sums are the same in any order.
  static func make(_ random: inout Random, size: Int) -> Double { Double(random.next() % 100_000) }
}

extension Bool: Made {
  static func make(_ random: inout Random, size: Int) -> Bool { random.next() & 1 == 1 }
}

extension String: Made {
  static var unit: Int { 200 }

  static func make(_ random: inout Random, size: Int) -> String {
    let letters: [Unicode.Scalar] = ["a", "b", "é", "語", "🐦", " "]
    var text = ""
    while text.utf8.count < size { text.unicodeScalars.append(letters[random.below(letters.count)]) }
    return text
  }
}

/// An affine map: doing one after the other does not commute.
struct Affine: RawCodable, Made {
  var factor, summand: UInt64

  func then(_ next: Affine) -> Affine {
    Affine(factor: factor &* next.factor, summand: summand &* next.factor &+ next.summand)
  }

  static func make(_ random: inout Random, size: Int) -> Affine {
    Affine(factor: random.next(), summand: random.next())
  }
}

/// Something that has to be encoded.
struct Record: Made {
  var number: Int
  var name: String
  var isNew: Bool
  var next: [Record]
  var note: String?
  var values: [Double]

  static let unit = 1000

  static func make(_ random: inout Random, size: Int) -> Record {
    Record(
      number: .make(&random, size: 8), name: .make(&random, size: random.below(20)),
      isNew: .make(&random, size: 1),
      next: size > 64 ? (0..<random.below(4)).map { _ in make(&random, size: 32) } : [],
      note: Bool.make(&random, size: 1) ? "n" : nil, values: Double.many(&random, count: size / 16))
  }
}

extension Array: Made where Element: Made {
  static var unit: Int { 500 }

  static func make(_ random: inout Random, size: Int) -> [Element] {
    Element.many(&random, count: size / Element.unit)
  }
}

/// What messages are made of.
let kinds: [any Made.Type] = [
  Int.self, UInt8.self, Bool.self, Affine.self, String.self, Record.self, [UInt8].self, [Double].self,
  [Int32].self, [Affine].self, [String].self, [Record].self, [[Int]].self,
]

/// Plain values, whose arrays travel as memory.
let elements: [any (Made & RawCodable).Type] = [Int.self, UInt8.self, Int32.self, Double.self, Affine.self]

/// One number from several: whatever follows from it is the same on all ranks.
func mix(_ parts: UInt64...) -> UInt64 {
  var mixed: UInt64 = 0
  for part in parts {
    var random = Random(mixed ^ part)
    mixed = random.next()
  }
  return mixed
}

extension Random {
  /// Some bytes, often few: none, one, about where a message goes another way, and now and then millions.
  mutating func length() -> Int {
    switch below(20) {
    case 0: 0
    case 1: below(9)
    case 2...8: below(300)
    case 9...12: [32, 4096, 4072, 16 << 10, 32 << 10, 64 << 10, 256 << 10, 1 << 20][below(8)] + below(3) - 1
    case 13...16: below(20_000)
    case 17, 18: below(300_000)
    default: below(4 << 20)
    }
  }
}

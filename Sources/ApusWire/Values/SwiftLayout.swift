import CApus
import Glibc

/// What is taken for granted of how Swift lays out values in memory, and is promised by nobody for the next compiler.
///
/// Each process but a worker looks once, before anything relies on it: a program that another compiler has built ends with a
/// sentence, and corrupts nothing. See also `FunctionLayout`.
package enum SwiftLayout {
  /// Ends the process unless all of it holds.
  static let required: Void = require(hasBeenLookedAt ? nil : problem())

  /// A worker's program is the same as its parent's, who has looked.
  static var hasBeenLookedAt: Bool { apus_started_as(APUS_WORKER_ARGUMENT) }

  static func require(_ problem: String?) {
    guard let problem else { return }
    let text = """
      apus: this program was built by a Swift compiler that lays out \(problem) in another way than Apus relies on. \
      Build it with Swift 6.3, or with a version of Apus that knows this compiler.\n
      """
    _ = text.utf8.withContiguousStorageIfAvailable { write(2, $0.baseAddress, $0.count) }
    // Not `exit`: this is within a one-time initialiser, which what runs at the exit may wait for.
    _exit(70)
  }

  /// What differs.
  ///
  /// - Parameter bits: The memory of a string.
  package static func problem(bits: (String) -> StringBits = StringBits.init) -> String? {
    if !holdsForStrings(bits) { return "String" }
    if MemoryLayout<[Int]>.size != 8 || unsafeBitCast([1, -2] as [Int], to: [UInt64].self) != [1, .max - 1] {
      return "Array"
    }
    if MemoryLayout<AnyObject>.size != 8 { return "references" }
    return nil
  }

  private static func holdsForStrings(_ bits: (String) -> StringBits) -> Bool {
    guard MemoryLayout<String>.size == 16 else { return false }
    // Text of up to 15 bytes lies in the string itself, from its lowest byte on.
    for text in ["", "a", "is fifteen long", "zwölf", "…"] {
      let bits = bits(text)
      let bytes = withUnsafeBytes(of: (bits.low.littleEndian, bits.high.littleEndian)) { Array($0) }
      let isASCII = text.utf8.allSatisfy { $0 < 0x80 }
      guard bits.isSmall, bits.isSmallASCII == isASCII, !bits.isOwned, bytes.starts(with: text.utf8) else {
        return false
      }
    }
    // Longer text does not, and is on the heap if it was made at run time.
    let literal = bits("a literal that is longer than that")
    let made = String(repeating: "made ", count: 20)
    return !literal.isSmall && !literal.isSmallASCII && !literal.isOwned
      && !bits(made).isSmall && !bits(made).isSmallASCII && bits(made).isOwned
  }
}

/// A value that shows whether keyed containers can be lent (`LentContainers`): its message has two with the
/// same type of keys.
struct LayoutProbe: Codable, Equatable {
  var number: Int

  static let values = [LayoutProbe(number: 1), LayoutProbe(number: 2)]
  static let message: [UInt8] =
    [9, 14, 0, 0, 0, 8, 2, 0, 0, 0, 0, 0x81, 8, 2, 0, 0, 0, 0, 0x82]
    + [6] + Array("number".utf8) + [7, 0, 0, 0]
}

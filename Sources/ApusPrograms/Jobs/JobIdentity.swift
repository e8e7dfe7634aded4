import ApusSystem

/// What a job is, whatever its place among the inputs: its command and the folder that it runs in; and which one it is of
/// those that are the same in that.
///
/// 128 bits of FNV-1a (Fowler, Noll and Vo), which tells a billion jobs apart, if nobody makes them to be mistaken.
package struct JobIdentity: Sendable, Hashable {
  package let value: UInt128

  private static let (start, prime): (UInt128, UInt128) = (
    0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, 0x0000_0000_0100_0000_0000_0000_0000_013b
  )

  init(_ value: UInt128) { self.value = value }

  init(_ command: [ByteString], folder: ByteString) {
    var hash = Self.start
    func add(_ byte: UInt8) { hash = (hash ^ UInt128(byte)) &* Self.prime }
    for word in command + [folder] {
      for byte in word.bytes { add(byte) }
      add(0)
    }
    value = hash
  }

  /// The same job once more.
  func next() -> JobIdentity { JobIdentity((value ^ 1) &* Self.prime) }

  package var text: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 32 - digits.count) + digits
  }

  init?(_ text: Substring) {
    guard text.utf8.count == 32, let value = UInt128(text, radix: 16) else { return nil }
    self.value = value
  }
}

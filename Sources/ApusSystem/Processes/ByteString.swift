/// Text as the system has it: bytes without a zero, mostly UTF-8 but not always.
///
/// A `String` holds U+FFFD in place of what is no UTF-8, and then names another file.
package struct ByteString: Sendable, Hashable, ExpressibleByStringInterpolation, CustomStringConvertible {
  package var bytes: [UInt8]

  package init(_ text: String) { bytes = Array(text.utf8) }

  package init(stringLiteral text: String) { self.init(text) }

  package init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

  package init(cString text: UnsafePointer<CChar>) {
    var end = text
    while end.pointee != 0 { end += 1 }
    bytes = [UInt8](UnsafeRawBufferPointer(start: text, count: end - text))
  }

  /// For people: what is no UTF-8 becomes U+FFFD.
  package var description: String { String(decoding: bytes, as: UTF8.self) }

  /// Byte by byte: generic comparisons have the runtime look up conformances first, a tenth of a millisecond each.
  package func hasPrefix(_ prefix: String) -> Bool {
    var prefix = prefix
    return prefix.withUTF8 { prefix in
      guard prefix.count <= bytes.count else { return false }
      for (index, byte) in prefix.enumerated() where bytes[index] != byte { return false }
      return true
    }
  }

  package static func + (a: ByteString, b: ByteString) -> ByteString { ByteString(a.bytes + b.bytes) }

  /// The bytes as C has them.
  package func withCString<R>(_ body: (UnsafePointer<CChar>) throws -> R) rethrows -> R {
    try (bytes + [0]).withUnsafeBytes { try body($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
  }
}

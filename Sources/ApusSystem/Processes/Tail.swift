/// The last bytes of a stream, for the error message when its writer dies.
package struct Tail {
  static let limit = 8 * 1024
  private var bytes: [UInt8] = []
  private var isCut = false

  package init() {}

  package mutating func append(_ new: UnsafeRawBufferPointer) {
    if new.count >= Self.limit {
      isCut = isCut || !bytes.isEmpty || new.count > Self.limit
      bytes = Array(new.suffix(Self.limit))
      return
    }
    bytes.append(contentsOf: new)
    // Trimmed at twice the limit, so that a byte is moved once on average.
    if bytes.count >= 2 * Self.limit {
      bytes.removeFirst(bytes.count - Self.limit)
      isCut = true
    }
  }

  /// As text; what is not UTF-8 becomes U+FFFD.
  package var text: String {
    var slice = bytes.suffix(Self.limit)
    if isCut || slice.count < bytes.count {
      // The cut may have gone through a character, whose rest is at most three continuation bytes.
      var dropped = 0
      while dropped < 3, let first = slice.first, first & 0xC0 == 0x80 {
        slice.removeFirst()
        dropped += 1
      }
    }
    return String(decoding: slice, as: UTF8.self)
  }
}

/// How the description of an error quotes what a process wrote last, on lines of its own; empty for nothing.
package func quotedStandardError(_ text: String) -> String {
  guard !text.isEmpty else { return "" }
  return "\n  its standard error ended with:\n"
    + text.split(separator: "\n", omittingEmptySubsequences: false).map { "  | \($0)" }.joined(
      separator: "\n")
}

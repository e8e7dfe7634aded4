package import ApusSystem

/// Words for a POSIX shell.
package enum ShellQuoting {
  /// The word as the shell reads it back: as it is, or between quotes.
  package static func quote(_ word: ByteString) -> ByteString {
    let isPlain =
      !word.bytes.isEmpty
      && word.bytes.allSatisfy { byte in
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
          || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
          || "/._-+:@%=,".utf8.contains(byte)
      }
    if isPlain { return word }
    var bytes: [UInt8] = [UInt8(ascii: "'")]
    for byte in word.bytes {
      if byte == UInt8(ascii: "'") { bytes += "'\\''".utf8 } else { bytes.append(byte) }
    }
    return ByteString(bytes + [UInt8(ascii: "'")])
  }
}

/// Text for JSON. Bytes that are not UTF-8 are written as Python's `os.fsdecode` has them: `\udc80` to `\udcff`.
package enum JSONText {
  /// In quotation marks, with what JSON does not take in the form that it takes.
  package static func quoted(_ text: ByteString) -> String {
    var result = "\""
    var bytes = text.bytes[...]
    while !bytes.isEmpty {
      // As far as it is UTF-8, and then a byte that is not.
      let valid = validPrefix(bytes)
      for scalar in String(decoding: bytes[..<valid], as: UTF8.self).unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        case "\u{0}"..<" ": result += "\\u00" + hex(UInt8(scalar.value))
        default: result.unicodeScalars.append(scalar)
        }
      }
      bytes = bytes[valid...]
      if let byte = bytes.popFirst() { result += "\\udc" + hex(byte) }
    }
    return result + "\""
  }

  private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

  private static func validPrefix(_ bytes: ArraySlice<UInt8>) -> Int {
    if String(validating: bytes, as: UTF8.self) != nil { return bytes.endIndex }
    var index = bytes.startIndex
    while index < bytes.endIndex {
      let length = bytes[index] < 0x80 ? 1 : bytes[index] < 0xe0 ? 2 : bytes[index] < 0xf0 ? 3 : 4
      guard index + length <= bytes.endIndex,
        String(validating: bytes[index..<(index + length)], as: UTF8.self) != nil
      else { break }
      index += length
    }
    return index
  }

  package static func quoted(_ text: String) -> String { quoted(ByteString(text)) }

  /// Seconds, to the microsecond.
  package static func seconds(_ nanoseconds: UInt64) -> String {
    let fraction = String(nanoseconds % 1_000_000_000 / 1000)
    return "\(nanoseconds / 1_000_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)"
  }
}

/// Writes lines behind the number of who printed them.
package final class LinePrefix: Sendable {
  private let prefix: [UInt8]
  private let target: LineTarget

  /// `[2] `, or `[ 2] ` among more than ten, or `[label/2] `.
  ///
  /// - Parameter width: How many digits the highest number has.
  package init(_ number: Int, of label: String? = nil, width: Int, target: LineTarget) {
    let number = String(number)
    let padding = String(repeating: " ", count: max(0, width - number.utf8.count))
    prefix = Array("[\(label.map { "\($0)/" } ?? "")\(padding)\(number)] ".utf8)
    self.target = target
  }

  /// `[text] `. Of control characters, which a terminal would obey, it shows that there are some.
  package init(_ text: String, target: LineTarget) {
    let shown = text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : Character($0) }
    prefix = Array("[\(String(shown))] ".utf8)
    self.target = target
  }

  /// `lines` is whole lines, or a piece of one that is too long for a relay: such a piece becomes a line.
  package func write(_ lines: UnsafeRawBufferPointer) {
    // At once, so that nobody else's line comes between.
    prefixed(lines).withUnsafeBytes { target.write($0) }
  }

  /// The same as bytes.
  package func prefixed(_ lines: UnsafeRawBufferPointer) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(lines.count + 8 * prefix.count)
    var rest = lines
    while !rest.isEmpty {
      let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 }
      text += prefix
      text += rest.prefix(end ?? rest.count)
      if end == nil { text.append(UInt8(ascii: "\n")) }
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(end ?? rest.count))
    }
    return text
  }
}

import ApusSystem

/// Writes a rank's lines behind its number.
final class RankPrefix: Sendable {
  private let prefix: [UInt8]
  private let target: LineTarget

  /// `[2] `, or `[ 2] ` among more than ten.
  init(rank: Int, of size: Int, target: LineTarget) {
    let width = String(size - 1).utf8.count
    let number = String(rank)
    let padding = String(repeating: " ", count: width - number.utf8.count)
    prefix = Array("[\(padding)\(number)] ".utf8)
    self.target = target
  }

  /// `lines` is whole lines, or a piece of one that is too long for a relay: such a piece becomes a line.
  func write(_ lines: UnsafeRawBufferPointer) {
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
    // At once, so that nobody else's line comes between.
    text.withUnsafeBytes { target.write($0) }
  }
}

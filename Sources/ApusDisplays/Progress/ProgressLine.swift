import ApusSystem
import CApus

/// What is said of how far work is, in one line.
enum ProgressLine {
  /// For a terminal: at most so many columns.
  ///
  ///     [########------------]  40%  120/300  3 failed  12.5/s  0:14 left  a.wav b.wav
  static func bar(_ tally: inout ProgressTally, columns: Int, isColoured: Bool, now: UInt64) -> String {
    var parts: [String] = []
    if let total = tally.knownTotal {
      let fraction = total == 0 ? 1 : min(1, Double(tally.done) / Double(total))
      let width = min(40, columns / 4)
      if width >= 8 {
        let filled = Int(fraction * Double(width))
        parts.append(
          "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled) + "]")
      }
      parts.append("\(Int(fraction * 100))%")
      parts.append("\(tally.done)/\(total)")
    } else {
      parts.append("\(tally.done) done")
    }
    var length = parts.reduce(0) { $0 + $1.count + 2 }
    /// Adds what fits.
    func add(_ text: String, colour: String? = nil) {
      guard length + text.count <= columns - 1 else { return }
      length += text.count + 2
      parts.append(colour.map { isColoured ? "\u{1b}[\($0)m\(text)\u{1b}[0m" : text } ?? text)
    }
    if tally.failed > 0 { add("\(tally.failed) failed", colour: "31") }
    if tally.retried > 0 { add("\(tally.retried) tried again") }
    add(rate(tally.currentRate(now)))
    if let left = tally.left(now) { add("\(clock(left)) left") }
    for (_, task) in tally.busy.sorted(by: { $0.value.since < $1.value.since }) where !task.text.isEmpty {
      add(printable(task.text))
    }
    return parts.joined(separator: "  ")
  }

  static func plain(_ tally: inout ProgressTally, now: UInt64) -> String {
    var text =
      tally.knownTotal.map { total in
        "\(tally.done) of \(total) are over (\(total == 0 ? 100 : 100 * tally.done / total) %)"
      } ?? "\(tally.done) are over"
    if tally.failed > 0 { text += ", \(tally.failed) failed" }
    if tally.retried > 0 { text += ", \(tally.retried) tried again" }
    text += ", \(tally.busy.count) running, \(rate(tally.currentRate(now)))"
    if let left = tally.left(now), tally.knownTotal != tally.done { text += ", about \(clock(left)) left" }
    return text
  }

  static func json(_ tally: inout ProgressTally, now: UInt64) -> String {
    var fields = [
      "\"seconds\":\(rounded(Double(now - tally.begun) / 1e9))", "\"done\":\(tally.done)",
      "\"failed\":\(tally.failed)",
      "\"cancelled\":\(tally.cancelled)", "\"retried\":\(tally.retried)", "\"running\":\(tally.busy.count)",
      "\"rate\":\(rounded(tally.currentRate(now)))",
    ]
    if let total = tally.knownTotal { fields.append("\"total\":\(total)") }
    if let left = tally.left(now) { fields.append("\"left\":\(rounded(left))") }
    return "{" + fields.joined(separator: ",") + "}"
  }

  private static func rate(_ rate: Double) -> String {
    rate >= 100 || rate == 0
      ? "\(Int(rate))/s" : rate >= 1 ? "\(rounded(rate))/s" : "\(rounded(rate * 60))/min"
  }

  private static func rounded(_ number: Double) -> Double { (number * 10).rounded() / 10 }

  /// `0:14`, `1:02:03`.
  static func clock(_ seconds: Double) -> String {
    let all = Int(min(seconds.rounded(.up), 1e9))
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return all < 3600
      ? "\(all / 60):\(two(all % 60))" : "\(all / 3600):\(two(all / 60 % 60)):\(two(all % 60))"
  }

  static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }
      ).prefix(40))
  }
}

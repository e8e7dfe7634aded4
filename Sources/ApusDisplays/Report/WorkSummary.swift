import ApusSystem

/// Where the time of some work went, in a few lines.
///
///     300 tasks in 12.3 s: 297 succeeded, 3 failed, 5 were tried again
///     2 workers, 97 % of the time at work; 0.2 s until they were ready
///     one after the other: 23.9 s, 1.9 × as long; 22.1 s of processor time, 1.8 processors
///     slowest: 1.21 s b.wav, 1.10 s a.wav
enum WorkSummary {
  static func text(_ record: WorkRecord, processorTime: UInt64) -> String {
    let wall = record.end - record.begin
    var lines: [String] = []
    var counts = ["\(record.succeeded) succeeded"]
    if record.failed > 0 { counts.append("\(record.failed) failed") }
    if record.cancelled > 0 { counts.append("\(record.cancelled) were ended") }
    if record.triedAgain > 0 { counts.append("\(record.triedAgain) were tried again") }
    lines.append(
      "\(record.over) task\(record.over == 1 ? "" : "s") in \(duration(wall)): "
        + counts.joined(separator: ", "))
    let rows = record.rows.count
    guard rows > 0, wall > 0 else { return lines[0] }
    let share = Double(record.working) / (Double(wall) * Double(rows))
    var line =
      "\(rows) worker\(rows == 1 ? "" : "s"), \(Int((100 * min(1, share)).rounded())) % of the time at work"
    if rows > 1 && rows <= 16 {
      let each = record.rows.map { row in
        "\(row.name): \(Int((100 * min(1, Double(row.working) / Double(wall))).rounded())) %"
      }
      line += " (\(each.joined(separator: ", ")))"
    }
    let starting = record.rows.reduce(0) { $0 + $1.starting }
    if starting > 0 { line += "; \(duration(starting / UInt64(rows))) until they were ready" }
    lines.append(line)
    lines.append(
      "one after the other: \(duration(record.working)), \(factor(record.working, wall)) × as long; "
        + "\(duration(processorTime)) of processor time, \(factor(processorTime, wall)) processors")
    let slowest = record.slowest.prefix(5).map { "\(duration($0.duration)) \(printable($0.name))" }
    if !slowest.isEmpty { lines.append("slowest: \(slowest.joined(separator: ", "))") }
    return lines.joined(separator: "\n")
  }

  private static func factor(_ a: UInt64, _ b: UInt64) -> String {
    let tenths = Int((10 * Double(a) / Double(b)).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }

  /// `1:02:03`, `12.3 s`, `1.23 s`, `45 ms`, `80 µs`.
  static func duration(_ nanoseconds: UInt64) -> String {
    let seconds = Double(nanoseconds) / 1e9
    if seconds >= 600 { return ProgressLine.clock(seconds) }
    func digits(_ value: Double, _ count: Int) -> String {
      let scale = count == 2 ? 100 : 10
      let number = Int((value * Double(scale)).rounded())
      let fraction = String(number % scale)
      return "\(number / scale).\(String(repeating: "0", count: count - fraction.count))\(fraction)"
    }
    if seconds >= 10 { return "\(digits(seconds, 1)) s" }
    if seconds >= 1 { return "\(digits(seconds, 2)) s" }
    return seconds >= 0.001 ? "\(Int((seconds * 1e3).rounded())) ms" : "\(Int((seconds * 1e6).rounded())) µs"
  }

  private static func printable(_ text: String) -> String { ProgressLine.printable(text) }
}

import ApusPrograms
import ApusSystem
import ArgumentParser

/// How many jobs run at a time, and how long.
struct RunLimits: ParsableArguments {
  @Option(
    name: [.customShort("j", allowingJoined: true), .customLong("jobs")], parsing: .unconditional,
    help: ArgumentHelp(
      "How many jobs run at a time: a number, a percentage of the processors, or auto, as many as there are processors "
        + "to use. Copies run all at once unless this is given.", valueName: "number"))
  var jobs = "auto"

  @Option(parsing: .unconditional, help: ArgumentHelp("End a job that takes longer.", valueName: "seconds"))
  var timeout: Double?

  @Option(
    name: .customLong("grace-period"), parsing: .unconditional,
    help: ArgumentHelp("How long a job has between SIGTERM and SIGKILL.", valueName: "seconds"))
  var gracePeriod = 2.0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Try a failed job again, up to this many times. What a failed try printed is dropped, unless it was shown as it came.",
      valueName: "number"))
  var retries = 0

  @Option(
    name: .customLong("retry-delay"), parsing: .unconditional,
    help: ArgumentHelp(
      "How long to wait before a job is tried again; doubled with each try.", valueName: "seconds"))
  var retryDelay = 0.1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How long to wait between the starts of two jobs.", valueName: "seconds"))
  var delay = 0.0

  @Option(
    help: ArgumentHelp(
      "Start no more jobs after fail=N failures, success=N successes, or fail=N% of those that are over, from the third on. "
        + "With now, before it (now,fail=1), those that run are ended too. After success=N the exit status is 0.",
      valueName: "when"))
  var halt: String?

  @Option(
    name: .customLong("memory-free"),
    help: ArgumentHelp(
      "Start another job only while this much memory is free: 500M, 2G. One always runs.", valueName: "size"))
  var freeMemory: String?

  @Option(
    name: .customLong("memory-limit"),
    help: ArgumentHelp(
      "Kill a job that, with what it has started, holds more memory: 500M, 2G. Looked at 50 times a second.",
      valueName: "size"))
  var memoryLimit: String?

  @Flag(
    name: .customLong("retry-alone"),
    help:
      "Try a job that went past --memory-limit once more when no other runs, with the limits of all together."
  )
  var retryAlone = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Start another job only while the machine's load is lower. One always runs.", valueName: "load"))
  var load: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Run jobs at a lower priority: 1 to 19.", valueName: "number"))
  var nice = 0

  @Option(
    help: ArgumentHelp(
      "Whether processes that a job leaves in the background are waited for, as part of the job, or ended.",
      valueName: "wait|end"))
  var background = Background.wait

  enum Background: String, ExpressibleByArgument, CaseIterable { case wait, end }

  func check() throws {
    _ = try width(copies: nil)
    for (name, value) in [
      ("--timeout", timeout), ("--grace-period", gracePeriod), ("--retry-delay", retryDelay),
      ("--delay", delay),
      ("--load", load),
    ] {
      if let value, !(value >= 0 && value <= 1e9) || name == "--timeout" && value == 0 {
        throw ValidationError(
          "\(name) takes a number \(name == "--timeout" ? "greater than 0" : "from 0 on")")
      }
    }
    guard 0...1_000_000 ~= retries else { throw ValidationError("--retries takes a number from 0 on") }
    guard 0...19 ~= nice else { throw ValidationError("--nice takes a number from 0 to 19") }
    _ = try freeBytes()
    if try limitBytes() == 0 { throw ValidationError("--memory-limit takes a size greater than 0") }
    if retryAlone, memoryLimit == nil { throw ValidationError("--retry-alone is for a --memory-limit") }
    _ = try parsedHalt()
  }

  static let widest = 100_000

  func width(copies: Int?) throws -> Int {
    if jobs == "auto" { return copies.map { min($0, Self.widest) } ?? Processors.available }
    let problem = ValidationError(
      "-j takes a number from 1 to \(Self.widest), a percentage, or auto, not '\(jobs)'")
    if jobs.hasSuffix("%") {
      guard let percent = Double(jobs.dropLast()), percent > 0, percent <= 100_000 else { throw problem }
      return max(1, Int((Double(Processors.available) * percent / 100).rounded()))
    }
    guard !jobs.hasPrefix("+"), let number = Int(jobs), 1...Self.widest ~= number else { throw problem }
    return number
  }

  func freeBytes() throws -> UInt64? { try bytes(freeMemory, "--memory-free") }

  func limitBytes() throws -> UInt64? { try bytes(memoryLimit, "--memory-limit") }

  private func bytes(_ text: String?, _ option: String) throws -> UInt64? {
    guard let text else { return nil }
    let units: [Character: UInt64] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40]
    var digits = text[...]
    if digits.lowercased().hasSuffix("b") { digits.removeLast() }
    let unit = digits.last.flatMap { units[Character($0.lowercased())] }
    if unit != nil { digits.removeLast() }
    guard let number = Double(digits), number >= 0,
      let bytes = UInt64(exactly: (number * Double(unit ?? 1)).rounded())
    else { throw ValidationError("\(option) takes a size, such as 500M or 2G, not '\(text)'") }
    return bytes
  }

  func parsedHalt() throws -> RunOptions.Halt? {
    guard let halt else { return nil }
    var words = halt.split(separator: ",", omittingEmptySubsequences: false)
    let isNow = words.first == "now"
    if words.first == "now" || words.first == "soon" { words.removeFirst() }
    let problem = ValidationError(
      "--halt takes [now,|soon,]fail=N, fail=N%, success=N or success=N%, not '\(halt)'")
    guard words.count == 1, let mark = words[0].firstIndex(of: "=") else { throw problem }
    let causes: [Substring: RunOptions.Halt.Cause] = ["fail": .failures, "success": .successes]
    guard let cause = causes[words[0][..<mark]] else { throw problem }
    let number = words[0][words[0].index(after: mark)...]
    if number.hasSuffix("%") {
      guard let percent = Double(number.dropLast()), percent > 0, percent <= 100 else { throw problem }
      return RunOptions.Halt(cause, count: nil, fraction: percent / 100, isNow: isNow)
    }
    guard let count = Int(number), count >= 1 else { throw problem }
    return RunOptions.Halt(cause, count: count, fraction: nil, isNow: isNow)
  }
}

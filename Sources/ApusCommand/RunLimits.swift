import ApusPrograms
import ApusSystem
import ArgumentParser

/// How many jobs run at a time, and how long.
struct RunLimits: ParsableArguments {
  @Option(
    name: [.customShort("j", allowingJoined: true), .customLong("jobs")],
    help: ArgumentHelp(
      "How many jobs run at a time: a number, a percentage of the processors, or auto, as many as there are processors "
        + "to use. Copies all run at once.", valueName: "number"))
  var jobs = "auto"

  @Option(help: ArgumentHelp("End a job that takes longer.", valueName: "seconds"))
  var timeout: Double?

  @Option(
    name: .customLong("grace-period"),
    help: ArgumentHelp("How long a job has after SIGTERM, before SIGKILL.", valueName: "seconds"))
  var gracePeriod = 2.0

  @Option(help: ArgumentHelp("Try a job that fails so many times again.", valueName: "number"))
  var retries = 0

  @Option(
    name: .customLong("retry-delay"),
    help: ArgumentHelp(
      "How long after its end a job is tried again: twice as long each time.", valueName: "seconds"))
  var retryDelay = 0.1

  @Option(help: ArgumentHelp("Wait so long between the starts of two jobs.", valueName: "seconds"))
  var delay = 0.0

  @Option(
    help: ArgumentHelp(
      "Give up after some failures, or successes: [now,|soon,]fail=N, N% or success=N. soon (unless said): what runs may "
        + "end; now: it is ended.", valueName: "when"))
  var halt: String?

  @Option(
    name: .customLong("memory-free"),
    help: ArgumentHelp("Start a job only while so much memory is free: 500M, 2G.", valueName: "size"))
  var freeMemory: String?

  @Option(help: ArgumentHelp("Start a job only while the machine's load is lower.", valueName: "load"))
  var load: Double?

  @Option(help: ArgumentHelp("Run jobs at a lower priority: 1 to 19.", valueName: "number"))
  var nice = 0

  @Option(
    help: ArgumentHelp(
      "What becomes of processes that a job leaves in the background: wait for them, or end them.",
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
    guard let number = Int(jobs), 1...Self.widest ~= number else { throw problem }
    return number
  }

  func freeBytes() throws -> UInt64? {
    guard let freeMemory else { return nil }
    let units: [Character: UInt64] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40]
    let unit = freeMemory.last.flatMap { units[Character($0.lowercased())] }
    guard let number = Double(unit == nil ? freeMemory[...] : freeMemory.dropLast()), number >= 0,
      number <= 1e15
    else {
      throw ValidationError("--memory-free takes a size, such as 500M or 2G, not '\(freeMemory)'")
    }
    return UInt64(number * Double(unit ?? 1))
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

import Glibc

/// An odd place to start a program in; see Tests/Programs/Oddly.
public struct Surrounding: Sendable, CustomStringConvertible {
  /// What `Oddly` is to make of it.
  public let words: [String]

  /// Its name in a list of tests.
  public var description: String { words.joined(separator: " ") }

  /// Those in which all works as anywhere else, streams apart: what is printed to a closed one is lost.
  public static let harmless: [Surrounding] = {
    // All subsets of the standard streams closed, and all full.
    let streams = ["", "0", "1", "2", "01", "02", "12", "012"]
    var all = streams.map { Surrounding(words: ["close=\($0)"]) }
    all += [
      "ignore=\(SIGCHLD)", "ignore=\(SIGPIPE)", "block", "no-terminal", "no-folder", "files=64", "files=32",
    ]
    .map { Surrounding(words: [$0]) }
    all.append(Surrounding(words: ["ignore=\(SIGCHLD)", "old-pidfd"]))
    if geteuid() == 0 { all.append(Surrounding(words: ["nobody"])) }
    return all
  }()
}

/// Runs a program in odd surroundings.
public func runOddly(
  _ words: [String], _ program: String, _ arguments: [String], environment: [String] = []
) async throws -> ProgramRun {
  let oddly = programFolder + "/Oddly"
  return try await runProgram(
    oddly, [oddly] + words + ["--", program] + arguments, environment: environment)
}

import ApusSystem
import Glibc
import TestSupport
import Testing

/// Swift Testing has a type of this name too; a declaration in this module comes first.
typealias ExitStatus = ApusSystem.ExitStatus

/// The command `apus launch`, seen from outside, one run after the other. The limit is for ever.
@Suite(.serialized, .timeLimit(.minutes(10))) enum LaunchTests {}

let ranks = programFolder + "/RankScenarios"

/// A run of `apus launch` whose processes can be told from all others.
struct LaunchRun {
  var run: ProgramRun
  /// The processes that are left of it.
  var left: [Int32]

  var output: String { run.output }
  var errors: String { run.errors }
  var status: ExitStatus { run.status }
  /// The lines, sorted: those of different ranks come in any order.
  var lines: [String] { run.output.split(separator: "\n").map(String.init).sorted() }
}

/// Runs `apus launch` with these arguments to its end; a minute is for ever. The ranks' grace is longer than that
/// unless said, so that a test which passes did not need it.
func launch(_ arguments: String..., input: String = "", environment: [String] = []) async throws -> LaunchRun
{
  try await launch(arguments: arguments, input: input, environment: environment)
}

func launch(arguments: [String], input: String = "", environment: [String] = []) async throws -> LaunchRun {
  let mark = Mark()
  let program = programFolder + "/apus"
  let grace = arguments.contains("--grace-period") ? [] : ["--grace-period", "100"]
  let all = [program, "launch"] + grace + arguments
  let run = try await runProgram(program, all, environment: environment + [mark.entry], input: input)
  let left = await mark.left()
  #expect(!run.timedOut, "\(run.errors)")
  return LaunchRun(run: run, left: left)
}

import ApusPrograms
import ArgumentParser

/// What is shown and kept of a run.
struct RunResults: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How what jobs print is shown: group, in one piece when the job has ended; line, each line as it comes; tag, "
        + "behind the job's input; raw, as it is. A single job: raw; copies: tag; else group.",
      valueName: "group|line|tag|raw"))
  var output: OutputMode?

  @Flag(
    name: [.customShort("k"), .customLong("keep-order")],
    help: "Show grouped output in the order of the inputs.")
  var keepsOrder = false

  @Option(
    help: ArgumentHelp("Note in a file what became of each job: a line of JSON each.", valueName: "file"))
  var log: String?

  @Flag(help: "Go on with the run of that --log: jobs that have succeeded are not run again.")
  var resume = false

  @Flag(
    name: .customLong("retry-failed"), help: "Run those jobs again that have failed in the run of that --log."
  )
  var retryFailed = false

  @Flag(name: .customLong("dry-run"), help: "Print the commands, and run none.")
  var isDryRun = false

  @Flag(name: .customLong("shell"), help: "The command is a line for sh; what inputs hold is quoted.")
  var usesShell = false

  func check() throws {
    if resume && retryFailed { throw ValidationError("--resume and --retry-failed don't go together") }
    if log == nil, resume || retryFailed {
      throw ValidationError("--resume and --retry-failed need a --log to go on with")
    }
    if keepsOrder, let output, output != .group {
      throw ValidationError("--keep-order is for grouped output")
    }
  }

  var logMode: JobLog.Mode { resume ? .resume : retryFailed ? .retryFailed : .new }
}

extension OutputMode: ExpressibleByArgument {}

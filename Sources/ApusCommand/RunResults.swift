import ApusDisplays
import ApusPrograms
import ArgumentParser
import Glibc

/// What is shown and kept of a run.
struct RunResults: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How what jobs print is shown: group, in one piece when the job has ended; line, each line as it comes; tag, the "
        + "same with the job's input before it; raw, unchanged and unwatched. Without inputs: raw; for copies: tag; else: group.",
      valueName: "group|line|tag|raw"))
  var output: OutputMode?

  @Flag(
    name: [.customShort("k"), .customLong("keep-order")],
    help: "Show output in the order of the inputs (group or tag).")
  var keepsOrder = false

  @Option(
    help: ArgumentHelp(
      "Note in a file what became of each job, a line of JSON each. There must be none yet, unless the run goes on with it.",
      valueName: "file"))
  var log: String?

  @Flag(help: "Go on with the run of --log, or begin it: jobs that have succeeded are not run again.")
  var resume = false

  @Flag(
    name: .customLong("retry-failed"), help: "Run those of the jobs again that failed, by --log."
  )
  var retryFailed = false

  @Option(
    help: ArgumentHelp(
      "Keep what each job prints, and what became of it, in a folder: in 1/stdout, 1/stderr, 1/job.json, and so on by numbers.",
      valueName: "folder"))
  var results: String?

  @Option(
    help: ArgumentHelp(
      "How far the run is, on standard error: a bar, plain lines, json, or none. auto: a bar on a terminal, and else a line "
        + "every half minute. APUS_PROGRESS says what is meant by auto.",
      valueName: "auto|bar|plain|json|none"),
    transform: { word in
      guard let mode = ProgressDisplay.Mode(rawValue: word) else {
        throw ValidationError("--progress takes auto, bar, plain, json or none, not '\(word)'")
      }
      return mode
    })
  var progress = ProgressDisplay.Mode.auto

  @Flag(help: "Say at the end where the time went, on standard error.")
  var summary = false

  @Option(
    help: ArgumentHelp(
      "Write a page for a browser at the end: who ran what when, how long jobs took, what failed and what that printed.",
      valueName: "file.html"))
  var report: String?

  @Option(
    help: ArgumentHelp(
      "Write a trace for Perfetto (ui.perfetto.dev) or Chrome's about:tracing.", valueName: "file.json"))
  var trace: String?

  @Flag(name: .customLong("dry-run"), help: "Print the commands, and run none.")
  var isDryRun = false

  @Flag(
    name: .customLong("shell"),
    help:
      "The command is one word, a line for sh: --shell 'sort {} | head'. What inputs hold is quoted: put no quotes around {}."
  )
  var usesShell = false

  @Flag(
    name: [.customShort("v"), .customLong("verbose")],
    help: "Print each command as it is started, on standard error.")
  var isVerbose = false

  func check() throws {
    if resume && retryFailed { throw ValidationError("--resume and --retry-failed don't go together") }
    if log == nil, resume || retryFailed {
      throw ValidationError("--resume and --retry-failed need a --log to go on with")
    }
    if results != nil, output == .raw {
      throw ValidationError("--results can't keep what jobs print with --output raw")
    }
    if keepsOrder, output == .line || output == .raw {
      throw ValidationError("--keep-order is for --output group or tag")
    }
  }

  /// - Parameter isWatched: Whether we see what jobs print, and print around the bar.
  func progressMode(isWatched: Bool) -> ProgressDisplay.Mode {
    if progress != .auto { return progress }
    let named =
      getenv("APUS_PROGRESS").flatMap { ProgressDisplay.Mode(rawValue: String(cString: $0)) } ?? .auto
    return named == .auto && !isWatched ? .none : named
  }

  var logMode: JobLog.Mode { resume ? .resume : retryFailed ? .retryFailed : .new }
}

extension OutputMode: ExpressibleByArgument {}

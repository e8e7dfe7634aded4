import ApusPrograms
import ApusSystem
import ArgumentParser
import Glibc

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs commands side by side, for many inputs.",
    usage: """
      apus run [<options>] [--] <command> [<arguments> ...] ::: <inputs> ...
      apus run --copies <n> [<options>] [--] <command> [<arguments> ...]
      <inputs> | apus run [<options>] [--] <command> {} [<arguments> ...]
      """,
    discussion: """
      The command is started for each input, as many at a time as there are processors to use. The input stands in place \
      of {}, or at the end. No shell is between, so an input is one word whatever it holds.

        apus run -- gzip {} ::: *.log
        find . -name '*.wav' -print0 | apus run -0 -- flac {} -o {.}.flac
        apus run --csv -a people.csv -- ./greet --name {name} --mail {mail}
        apus run --copies 5 -- ./worker

      Where inputs come from: words after :::, or the lines of files after ::::. Several of these are combined, each with \
      each; :::+ and ::::+ go along with the list before, one by one, and have to be as many. Or --input; or standard input, \
      which is read if the command has a {} (or another place) and no inputs are named, or if an option says so. Empty lines \
      are skipped. Without inputs the command is run once.

      Places: {} {1} {-1} {name}; {.} without its extension, {/} the last part of a path, {//} its folder, {/.} both, and \
      so {1.} or {name/}; {#} the job's number; {slot} a number from 1 that no job has that runs at the same time. (Jobs have \
      these two as APUS_JOB and APUS_SLOT as well.) {{}} is the text {}.

      Jobs have no standard input; a command without inputs has ours, but for a terminal.

      The exit status is 0 if every job succeeded, and 1 if one failed. A command without inputs gives its own: its exit \
      code, or 128 and its signal; 124 past its time limit. 127: there is no such program; 126: it can't be run. 64: the \
      command line makes no sense. 74: inputs, the log or the output can't be read or written. Ended by a signal, this \
      command dies of the same.

      ^C, SIGTERM and SIGHUP end all jobs and what they have started; at once, if they come again. (What a script starts with & \
      ignores SIGINT: send SIGTERM.) SIGUSR1 has one job more run at a time, SIGUSR2 one less. No job is left behind, even if \
      this command is killed.
      """)

  @OptionGroup var inputs: RunInputs
  @OptionGroup var limits: RunLimits
  @OptionGroup var results: RunResults

  @Argument(
    parsing: .captureForPassthrough,
    help: ArgumentHelp(
      "The program, looked for in PATH unless it holds a slash, its arguments, and inputs.",
      valueName: "command"))
  var command: [String] = []

  mutating func validate() throws {
    // Everything from the first word that is no option of ours comes here, also what looks like one.
    if command.first == "-h" || command.first == "--help" { throw CleanExit.helpRequest(self) }
    if command.first == "--version" { throw CleanExit.message(Apus.configuration.version) }
    if command.first == "--" {
      command.removeFirst()
    } else if let first = command.first, first.hasPrefix("-"), first != "-" {
      throw ValidationError("Unknown option '\(first)'" + Self.hint(first))
    }
    guard let program = command.first, !program.isEmpty, !RunWords.isMark(program) else {
      throw ValidationError("Missing the command to run")
    }
    if results.usesShell, let next = command.dropFirst().first, !RunWords.isMark(next) {
      throw ValidationError("--shell takes the command as one word: --shell 'sort {} | head'")
    }
    try inputs.check()
    try limits.check()
    try results.check()
  }

  /// What other tools call it.
  private static func hint(_ option: String) -> String {
    let known = [
      "-P": "-j", "--max-procs": "-j", "-t": "--verbose", "-I": "{}", "-i": "{}", "-L": "-n", "-m": "-n",
      "-X": "-n", "-d": "-0",
      "--tag": "--output tag", "--joblog": "--log", "--line-buffer": "--output line", "--lb": "--output line",
      "-u": "--output raw",
      "--ungroup": "--output raw", "--colsep": "--columns", "-C": "--columns", "--memfree": "--memory-free",
      "--resume-failed": "--resume", "--arg-file": "--input", "--dryrun": "--dry-run",
    ]
    let name = option.hasPrefix("--") ? String(option.prefix { $0 != "=" }) : String(option.prefix(2))
    return known[name].map { ": here it is \($0)" } ?? ""
  }

  func run() throws {
    do {
      try RunSession(self).untilTheEnd()
    } catch let problem as ProgramProblem {
      complainOfRun(problem.description)
      LineTarget.standardError.settle()
      switch problem {
      case .usage: throw ExitCode(64)
      case .input, .file: throw ExitCode(74)
      }
    }
  }
}

func complainOfRun(_ text: String) {
  Array("apus run: \(text)\n".utf8).withUnsafeBytes { LineTarget.standardError.write($0) }
}

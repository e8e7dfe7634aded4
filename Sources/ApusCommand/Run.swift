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
      For each input the command is started, as many at a time as there are processors to use. The input stands in \
      place of {}, or at the end. No shell is between: what an input holds is one word.

        apus run -- gzip {} ::: *.log
        find . -name '*.wav' -print0 | apus run -0 -- flac {} -o {.}.flac
        apus run --csv -a people.csv -- ./greet --name {name} --mail {mail}
        apus run --copies 5 -- ./worker

      Inputs: ::: words, of which each further ::: makes combinations and :::+ goes along with the one before; --input \
      files; standard input, if the command has a place for it or --stdin or -0 is given. Without inputs the command is \
      run once.

      Places: {} {1} {-1} {name}; {.} without extension, {/} the last part of a path, {//} its folder, {/.} both, also \
      {1.} or {name/}; {#} the job's number, {slot} that of its slot. {{}} is the text {}.

      The exit status is 0 if every job succeeded. Of a single job it is the job's own: its exit code, or 128 and its \
      signal, 127 if there is no such program, 126 if it can't be run, 124 past its time limit. Of several it is 1 if \
      one failed. 64: the command line makes no sense. 74: an input, the log or the output can't be read or written.

      ^C, SIGTERM and SIGHUP end the jobs, all that they have started among it; a second one at once. SIGUSR1 has one \
      job more run at a time, SIGUSR2 one less. Whatever happens, no job is left behind, even if this command is killed.
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
      throw ValidationError("Unknown option '\(first)'")
    }
    guard let program = command.first, !program.isEmpty, !RunWords.isMark(program) else {
      throw ValidationError("Missing the command to run")
    }
    try inputs.check()
    try limits.check()
    try results.check()
  }

  func run() throws {
    do {
      // The guardian first: it forks, and there must be no second thread.
      let signals = RunSignals()
      try RunSession(self, signals).untilTheEnd()
    } catch let problem as ProgramProblem {
      complainOfRun(problem.description)
      switch problem {
      case .usage: throw ExitCode(64)
      case .input, .file: throw ExitCode(74)
      }
    }
  }
}

func complainOfRun(_ text: String) {
  Array("apus run: \(text)\n".utf8).withUnsafeBytes { LineTarget.standardError.write($0) }
  LineTarget.standardError.settle()
}

import ApusSystem
import ApusMessages
import ArgumentParser
import Glibc

struct Launch: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Starts a program several times, as ranks that send each other messages.",
    usage: "apus launch [-n <ranks>] [<options>] [--] <program> [<arguments> ...]",
    discussion: """
      Each process of the program is a rank of one world: Communicator.world() gives it its number and \
      connects it to the others through shared memory. Programs that know nothing of this run as well.

      When a rank fails, with a status other than 0, by a signal, or by leaving the others without a word, the \
      others are told, and then ended. The exit status is that of the rank that failed first, as a shell has it: \
      its exit code, or 128 and the signal; 127 if there is no such program, and 126 if it can't be run.

      ^C, SIGTERM, SIGHUP and SIGQUIT are passed on to the ranks, and end them; a second one ends them at once. \
      SIGUSR1 and SIGUSR2 are passed on. ^Z stops the ranks too. Whatever happens, no rank is left behind.

      Each rank may use its share of the processors (APUS_CPUS), and rank 0 alone reads standard input.

      With --mpi the launcher of an MPI library starts the ranks, which then talk through that library, on other \
      machines too. What it is told beyond the number of ranks is said on standard error. Output, signals and the \
      exit status are then its own.
      """)

  enum Output: EnumerableFlag {
    case prefix, group, plain

    static func help(for value: Output) -> ArgumentHelp? {
      switch value {
      case .prefix: "Show each line behind its rank: '[2] text'."
      case .group: "Show what a rank printed when it has ended, in the order of the ranks."
      case .plain:
        """
        Show each line as it is. Without any of these three: lines that go to a terminal are shown behind their \
        rank if there are several, others are passed on as they are.
        """
      }
    }
  }

  @Option(
    name: [
      .customShort("n", allowingJoined: true), .customLong("ranks"), .customLong("np", withSingleDash: true),
    ],
    help: ArgumentHelp(
      "How many ranks: as many as there are processors to use, unless said. More are allowed, up to \(RankCredential.mostRanks) "
        + "without --mpi.",
      valueName: "ranks"))
  var ranks: Int?

  @Flag var output: Output?

  @Flag(name: .customLong("no-stdin"), help: "Give rank 0 no standard input either.")
  var noInput = false

  @Flag(name: .customLong("keep-going"), help: "Let the others go on when a rank fails.")
  var keepGoing = false

  @Option(
    name: .customLong("grace-period"),
    help: ArgumentHelp(
      "How long the others may go on after a failure or ^C, before SIGTERM and, a second later, SIGKILL.",
      valueName: "seconds"))
  var gracePeriod = 2.0

  @Option(
    name: .customLong("mpi"), defaultAsFlag: "", parsing: .next,
    help: ArgumentHelp(
      "Have an MPI library's launcher start the ranks: the first in PATH, or with --mpi=NAME that one (a path, "
        + "a program's name, openmpi or mpich).", valueName: "launcher"))
  var mpi: String? = nil

  @Option(
    name: .customLong("mpi-option"), parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "With --mpi: a word more for the launcher, such as --mpi-option=--hostfile.", valueName: "word"))
  var mpiOptions: [String] = []

  @Argument(
    parsing: .captureForPassthrough,
    help: ArgumentHelp(
      "The program, looked for in PATH unless it holds a slash, and its arguments.", valueName: "program"))
  var command: [String] = []

  mutating func validate() throws {
    // Everything from the first word that is no option of ours comes here, also what looks like one.
    if command.first == "-h" || command.first == "--help" { throw CleanExit.helpRequest(self) }
    // `--mpi program` is the option alone, and a program.
    if let name = mpi, !name.isEmpty, !CommandLine.arguments.contains("--mpi=\(name)") {
      command.insert(name, at: 0)
      mpi = ""
    }
    if command.first == "--version" { throw CleanExit.message(Apus.configuration.version) }
    if command.first == "--" {
      command.removeFirst()
    } else if let first = command.first, first.hasPrefix("-"), first != "-" {
      throw ValidationError("Unknown option '\(first)'")
    }
    guard let program = command.first, !program.isEmpty else {
      throw ValidationError("Missing the program to run")
    }
    if mpi == "", ["openmpi", "mpich"].contains(program.lowercased()) {
      throw ValidationError(
        "\(program) would be the program to run: the launcher is named with --mpi=\(program)")
    }
    if let ranks, ranks < 1 || mpi == nil && ranks > RankCredential.mostRanks {
      throw ValidationError(
        "\(ranks) ranks can't be started: 1 to \(RankCredential.mostRanks) can, and more with --mpi")
    }
    if mpi != nil, output != nil || keepGoing || noInput || gracePeriod != 2 {
      throw ValidationError(
        "--prefix, --group, --plain, --keep-going, --no-stdin and --grace-period are not for --mpi: give the "
          + "launcher its own options with --mpi-option")
    }
    guard mpi != nil || mpiOptions.isEmpty else { throw ValidationError("--mpi-option is for --mpi") }
    guard gracePeriod >= 0, gracePeriod <= 1e9 else {
      throw ValidationError("--grace-period takes a number of seconds from 0 on")
    }
  }

  func run() throws {
    if let mpi { return try startMPI(mpi) }
    let processors = Processors.available
    let count = ranks ?? min(processors, RankCredential.mostRanks)
    // These two before there is a second thread.
    let signals = EndingSignals()
    let options = options(count)
    do {
      let outcome = try launch(count, processors: processors, options, signals)
      if outcome.left.isEmpty { options.watchdog?.stop() }
      finish(outcome, ranks: count, signals)
    } catch {
      options.watchdog?.stop()
      try fail(error)
    }
  }

  private func startMPI(_ wanted: String) throws {
    do {
      try becomeMPILauncher(wanted, ranks: ranks ?? min(Processors.available, RankCredential.mostRanks))
    } catch { try fail(error) }
  }

  private func fail(_ error: any Error) throws -> Never {
    complain("\(error)")
    switch (error as? LaunchError)?.cause?.code {
    case .notFound: throw ExitCode(127)
    case .notExecutable: throw ExitCode(126)
    default: throw ExitCode.failure
    }
  }

  private func launch(
    _ count: Int, processors: Int, _ options: RankOptions, _ signals: EndingSignals
  ) throws -> RankOutcome {
    var request = try programRequest()
    let share = Processors.environmentName + "="
    request.environment.removeAll { $0.hasPrefix(share) }
    request.environment.append(ByteString(share + "\(max(1, processors / count))"))
    allowDescriptors(5 * count + 64)
    let ranks = try LocalRanks(request, count: count, options: options)
    try signals.pass(to: ranks.supervisor)
    return try ranks.run()
  }

  private func options(_ count: Int) -> RankOptions {
    var options = RankOptions()
    func mode(of descriptor: Int32) -> RankOptions.Output {
      switch output {
      case .prefix: .prefixed
      case .group: .grouped
      case .plain: .plain
      // At a terminal a person reads, elsewhere perhaps a program.
      case nil: count > 1 && isatty(descriptor) == 1 ? .prefixed : .plain
      }
    }
    (options.output, options.errors) = (mode(of: 1), mode(of: 2))
    options.forwardsInput = !noInput
    options.holdsLines = count > 1
    options.failure = keepGoing ? .spares : .endsOthers
    options.grace = .seconds(gracePeriod)
    options.watchdog = Watchdog(groups: count)
    return options
  }

  /// Says what is to be said of the end, and ends in the same way.
  private func finish(_ outcome: RankOutcome, ranks: Int, _ signals: EndingSignals) -> Never {
    if !outcome.left.isEmpty {
      complain("these processes can't be ended: \(outcome.left.map(String.init).joined(separator: ", "))")
    }
    if let failure = outcome.failure {
      // In a pipeline whose reader has had enough that is the usual end.
      if outcome.isOutputClosed, failure.exitCode == 128 + SIGPIPE { EndingSignals.die(of: SIGPIPE) }
      complain(
        failure.summary + others(outcome.ended.count) + (failure.trapMessage.map { ": \($0)" } ?? ""))
    }
    if let signal = outcome.signal {
      complain("ended by signal \(SignalName.describe(signal))")
      EndingSignals.die(of: signal)
    }
    if outcome.outputLoss != 0 {
      let reason = String(cString: strerror(outcome.outputLoss))
      complain("some of the output could not be written and is lost: \(reason)")
    }
    let isWhole = outcome.left.isEmpty && outcome.outputLoss == 0
    Glibc.exit(isWhole ? outcome.exitCode : max(outcome.exitCode, 1))
  }

  private func others(_ count: Int) -> String {
    switch count {
    case 0: ""
    case 1: "; one other was ended"
    default: "; \(count) others were ended"
    }
  }

  /// The system's usual limit of 1024 is for programs that use `select`.
  private func allowDescriptors(_ count: Int) {
    var limit = rlimit()
    let which = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(which, &limit) == 0, limit.rlim_cur < rlim_t(count) else { return }
    limit.rlim_cur = min(rlim_t(count), limit.rlim_max)
    setrlimit(which, &limit)
  }
}

func complain(_ text: String) {
  // Not for ever, if nobody reads it.
  Array("apus launch: \(text)\n".utf8).withUnsafeBytes { LineTarget.standardError.write($0) }
  LineTarget.standardError.settle()
}

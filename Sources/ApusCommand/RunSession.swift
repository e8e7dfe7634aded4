import ApusDisplays
import ApusMessages
import ApusPrograms
import ApusSystem
import CApus
import Glibc

/// A run as the command has it: from its words to its exit status.
final class RunSession {
  private let run: Run
  private let words: RunWords
  /// Whether the command is run once, without inputs.
  private let isAlone: Bool
  private let environment: [ByteString]
  private let nothing: OwnedDescriptor
  private var paths: [ByteString: ByteString] = [:]
  private var endedBy: Int32?
  private var reportsAreLost = false
  /// How many descriptors jobs may have open.
  private var descriptorLimit: UInt64 = 0

  init(_ run: Run) throws {
    self.run = run
    words = try RunWords(Self.wordsAsTheyCame(run.command), run.inputs)
    isAlone = words.lists.isEmpty && run.inputs.isAlone(Self.template(run, words))
    let own = [RankCredential.variable, Self.jobVariable, Self.slotVariable].map { $0 + "=" }
    environment = SpawnRequest.ownEnvironment.filter { entry in !own.contains { entry.hasPrefix($0) } }
    nothing = try OwnedDescriptor.nothing()
  }

  private static let (jobVariable, slotVariable) = ("APUS_JOB", "APUS_SLOT")

  /// What the parser has as `String` need not be UTF-8. The command is the end of the words.
  private static func wordsAsTheyCame(_ command: [String]) -> [ByteString] {
    let words = Array(ProgramCommand.programArguments.suffix(command.count))
    return words.map(\.description) == command ? words : command.map { ByteString($0) }
  }

  private static func template(_ run: Run, _ words: RunWords) -> CommandTemplate {
    CommandTemplate(words.command, isForShell: run.results.usesShell)
  }

  func untilTheEnd() throws -> Never {
    let inputs = try run.inputs.source(words, isAlone: isAlone)
    var template = Self.template(run, words)
    try template.resolve(
      columns: run.inputs.groupSize == nil && !words.lists.isEmpty ? words.columnCount : nil,
      names: try run.inputs.names(of: inputs), isGrouped: run.inputs.groupSize != nil)
    let log = try openLog()
    let source = JobSource(template, inputs, log: log, folder: currentFolder())
    if run.results.isDryRun { try DryRun(source, isForShell: run.results.usesShell).run() }
    try checkProgram()
    let options = try options()
    if Apus.hasClosedOutput, options.output != .raw {
      throw ProgramProblem.file("standard output is closed, so what jobs print would be lost")
    }
    let reports = try RunReports(
      run.results,
      title: "apus run " + words.command.map { ShellQuoting.quote($0).description }.joined(separator: " "))
    allowDescriptors(6 * options.width + 10_000)
    // Not before: while inputs were opened, signals did what they do to any program. And before there is a second thread.
    let signals = RunSignals(readsTerminal: !isAlone && words.lists.isEmpty && isatty(0) == 1)
    let reactor = try Reactor()
    let jobs = JobRun(source, options, log: log, on: reactor, staysInThread: true) {
      [unowned self] (job, slot, command) throws(StartFailure) in try request(job, slot, command)
    }
    try signals.watch(on: reactor) { [unowned self] in heed($0, jobs) }
    jobs.whenOver = { [unowned self] in tell($0, $1) }
    jobs.whenTriedAgain = { [unowned self] in tellRetry($0, $1) }
    reapOrphans(jobs)
    let display = ProgressDisplay(
      run.results.progressMode(isWatched: options.output != .raw), total: inputs.count)
    jobs.start()
    while jobs.turn() {
      if LineTarget.standardOutput.isBroken { jobs.end(.asked) }
    }
    display.finish()
    if !reports.finish() { reportsAreLost = true }
    withExtendedLifetime(signals) { finish(jobs, log) }
  }

  private func openLog() throws -> JobLog? {
    guard let path = run.results.log, !run.results.isDryRun || run.results.logMode != .new else { return nil }
    return try JobLog(
      ByteString(path), command: words.command, mode: run.results.logMode, isReadOnly: run.results.isDryRun)
  }

  // MARK: Commands

  /// Said once, and not for each input.
  private func checkProgram() throws {
    guard !run.results.usesShell, let program = words.command.first,
      !CommandTemplate([program]).hasPlaces
    else { return }
    do throws(StartFailure) { _ = try path(of: program) } catch {
      complainOfRun(error.text)
      exit(error.code == .notFound ? 127 : 126)
    }
  }

  private func request(_ job: Job, _ slot: Int, _ command: [ByteString]) throws(StartFailure) -> SpawnRequest
  {
    if command.contains(where: { $0.bytes.contains(0) }) {
      throw StartFailure(.other, "the input holds a NUL: if inputs end with NULs, give -0")
    }
    var environment = environment
    environment.append(ByteString("\(Self.jobVariable)=\(job.number)"))
    environment.append(ByteString("\(Self.slotVariable)=\(slot + 1)"))
    var request: SpawnRequest
    if run.results.usesShell {
      request = SpawnRequest(
        path: "/bin/sh", arguments: ["sh", "-c", command[0]] as [ByteString], environment: environment)
    } else {
      request = SpawnRequest(path: try path(of: command[0]), arguments: command, environment: environment)
    }
    request.nice = Int32(run.limits.nice)
    request.descriptorLimit = descriptorLimit
    // A job is not in the terminal's foreground, so reading from it would stop the job.
    if !isAlone || isatty(0) == 1 { request.descriptors.append((nothing.number, 0)) }
    if run.results.isVerbose {
      let words = run.results.usesShell ? command : command.map { ShellQuoting.quote($0) }
      complain(with: ByteString(words.map(\.bytes).joined(separator: [UInt8(ascii: " ")])))
    }
    return request
  }

  private func complain(with line: ByteString) {
    (line.bytes + [UInt8(ascii: "\n")]).withUnsafeBytes { LineTarget.standardError.write($0) }
  }

  /// Looked for once: a program that is there stays there.
  private func path(of program: ByteString) throws(StartFailure) -> ByteString {
    if let known = paths[program] { return known }
    do throws(LaunchError) {
      let found = try ProgramSearch.find(program)
      paths[program] = found
      return found
    } catch {
      let isLine = program.bytes.contains(UInt8(ascii: " "))
      throw StartFailure(
        error.cause?.code ?? .other,
        "\(error)" + (isLine ? ". Is it a line for the shell? Then write --shell" : ""))
    }
  }

  private func options() throws -> RunOptions {
    var options = RunOptions()
    let limits = run.limits
    func nanoseconds(_ seconds: Double) -> UInt64 { UInt64(seconds * 1e9) }
    options.width = try limits.width(copies: run.inputs.copies)
    options.output =
      run.results.output
      ?? (isAlone ? run.results.results == nil ? .raw : .line : run.inputs.copies != nil ? .tag : .group)
    options.keepsOrder = run.results.keepsOrder
    if let folder = run.results.results {
      options.results = try ResultFolder(ByteString(folder), goesOn: run.results.logMode != .new)
    }
    options.timeLimit = limits.timeout.map(nanoseconds)
    options.grace = nanoseconds(limits.gracePeriod)
    (options.retries, options.retryDelay) = (limits.retries, nanoseconds(limits.retryDelay))
    options.delay = nanoseconds(limits.delay)
    options.halt = try limits.parsedHalt()
    options.background = limits.background == .wait ? .waits : .ends
    (options.memoryLimit, options.retriesAlone) = (try limits.limitBytes(), limits.retryAlone)
    (options.freeMemory, options.load) = (try limits.freeBytes(), limits.load)
    return options
  }

  private func currentFolder() -> ByteString {
    guard let path = getcwd(nil, 0) else { return "" }
    defer { free(path) }
    return ByteString(cString: path)
  }

  /// The system's usual limit of 1024 is for programs that use `select`.
  private func allowDescriptors(_ count: Int) {
    var limit = rlimit()
    let which = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(which, &limit) == 0, limit.rlim_cur < rlim_t(count) else { return }
    descriptorLimit = UInt64(limit.rlim_cur)
    limit.rlim_cur = min(rlim_t(count), limit.rlim_max)
    setrlimit(which, &limit)
  }

  /// From time to time: what jobs have left behind becomes our child, and a zombie when it ends.
  private func reapOrphans(_ jobs: JobRun) {
    _ = jobs.reactor.after(500_000_000) { [unowned self, unowned jobs] in
      let known = jobs.supervisor.running.map(\.child.pid)
      apus_reap_orphans(known, known.count)
      reapOrphans(jobs)
    }
  }

  // MARK: Signals

  private func heed(_ signal: Int32, _ jobs: JobRun) {
    switch signal {
    case 0:
      // The guardian is gone, killed: nobody waits for us.
      apus_end_children(2000)
      _exit(137)
    case SIGUSR1:
      jobs.supervisor.width += 1
      jobs.supervisor.fill()
    case SIGUSR2: jobs.supervisor.width = max(1, jobs.supervisor.width - 1)
    case SIGTSTP:
      let stopped = apus_now()
      for program in jobs.supervisor.running { program.signal(SIGTSTP) }
      raise(SIGSTOP)
      for program in jobs.supervisor.running {
        program.signal(SIGCONT)
        program.postpone(by: apus_now() - stopped)
      }
    default:
      if endedBy != nil { return jobs.kill() }
      endedBy = signal
      jobs.waitsForReaders = false
      jobs.end(.asked)
    }
  }

  // MARK: What is told

  private func tell(_ job: Job, _ ending: JobEnding) {
    guard !ending.isSuccess else { return }
    let tries = job.tries > 1 ? ", after \(job.tries) tries" : ""
    guard isAlone else {
      return complainOfRun("job \(job.number) (\(job.label)): \(ending.description)\(tries)")
    }
    // Of its exit code the status tells, as if the command had been run by itself.
    if case .exited? = ending.status, ending.reason == nil, tries.isEmpty { return }
    complainOfRun(ending.description + tries)
  }

  private func tellRetry(_ job: Job, _ ending: JobEnding) {
    let name = isAlone ? "" : "job \(job.number) (\(job.label)): "
    complainOfRun("\(name)\(ending.description); try \(job.tries) of \(run.limits.retries + 1)")
  }

  private func finish(_ jobs: JobRun, _ log: JobLog?) -> Never {
    LineTarget.standardOutput.settle()
    LineTarget.standardError.settle()
    // Those that have left their groups.
    apus_end_children(500)
    let progress = jobs.progress
    let canGoOn = log == nil ? "" : "; --resume goes on"
    if let endedBy {
      let done = isAlone ? "" : ": \(progress.over) jobs are over, \(progress.cutOff) were ended\(canGoOn)"
      complainOfRun("ended by signal \(SignalName.describe(endedBy))\(done)")
      EndingSignals.die(of: endedBy)
    }
    if LineTarget.standardOutput.isBroken { EndingSignals.die(of: SIGPIPE) }
    if let problem = jobs.problem {
      complainOfRun("\(problem.description)\(isAlone ? "" : " (\(progress.over) jobs are over\(canGoOn))")")
      if case .usage = problem { exit(64) }
      exit(74)
    }
    let loss = LineTarget.standardOutput.loss
    if loss != 0 {
      complainOfRun("some of the output could not be written and is lost: \(String(cString: strerror(loss)))")
      exit(74)
    }
    if isAlone { exit(progress.firstFailure?.ending.exitCode ?? (reportsAreLost ? 74 : 0)) }
    summarize(progress, log, canGoOn)
    let wantsOneSuccess = run.limits.halt?.contains("success") ?? false
    let isSuccess = progress.failed == 0 || progress.hasGivenUp && wantsOneSuccess
    exit(isSuccess ? reportsAreLost ? 74 : 0 : 1)
  }

  private func summarize(_ progress: JobRun.Progress, _ log: JobLog?, _ canGoOn: String) {
    var words: [String] = []
    if progress.failed > 0 { words.append("\(progress.failed) of \(progress.over) jobs failed") }
    if progress.skipped > 0, progress.failed > 0 { words.append("\(progress.skipped) were not run again") }
    if progress.hasGivenUp {
      words.append(
        "given up because of --halt\(progress.cutOff > 0 ? ": \(progress.cutOff) were ended" : "")\(canGoOn)")
    }
    if progress.started == 0, run.results.retryFailed {
      let count = log?.past.failed.count ?? 0
      words.append(
        count == 0
          ? "nothing to try again: no job of the log has failed"
          : "nothing to try again: none of these inputs is among the log's \(count) jobs that have failed")
    } else if progress.started == 0, progress.skipped > 0 {
      words.append("nothing to do: all \(progress.skipped) jobs have succeeded before")
    }
    if !words.isEmpty { complainOfRun(words.joined(separator: "; ")) }
  }
}

import ApusMessages
import ApusPrograms
import ApusSystem
import CApus
import Glibc

/// A run as the command has it: from its words to its exit status.
final class RunSession {
  private let run: Run
  private let signals: RunSignals
  private let words: RunWords
  private let environment: [ByteString]
  private var paths: [ByteString: ByteString] = [:]
  private var endedBy: Int32?
  private let nothing: OwnedDescriptor

  init(_ run: Run, _ signals: RunSignals) throws {
    (self.run, self.signals) = (run, signals)
    words = try RunWords(Self.wordsAsTheyCame(run.command), run.inputs)
    let own = [RankCredential.variable + "="]
    environment = SpawnRequest.ownEnvironment.filter { entry in !own.contains { entry.hasPrefix($0) } }
    nothing = try OwnedDescriptor.nothing()
  }

  /// What the parser has as `String` need not be UTF-8. The command is the end of the words.
  private static func wordsAsTheyCame(_ command: [String]) -> [ByteString] {
    let words = Array(ProgramCommand.programArguments.suffix(command.count))
    return words.map(\.description) == command ? words : command.map { ByteString($0) }
  }

  func untilTheEnd() throws -> Never {
    var template =
      run.results.usesShell ? CommandTemplate([shellLine], isForShell: true) : CommandTemplate(words.command)
    let (source, isOnce) = try inputSource(template)
    try template.resolve(
      columns: words.lists.isEmpty ? nil : words.lists.reduce(0) { $0 + ($1.first?.fields.count ?? 0) },
      names: try names(of: source))
    if run.results.isDryRun { try printCommands(template, source) }
    let options = try options(isOnce: isOnce)
    let reactor = try Reactor()
    let log = try run.results.log.map {
      try JobLog(ByteString($0), command: words.command, mode: run.results.logMode)
    }
    allowDescriptors(6 * options.width + 10_000)
    let jobs = JobRun(
      template, source, options, log: log, logMode: run.results.logMode, folder: currentFolder(), on: reactor,
      staysInThread: true
    ) { [unowned self] (command) throws(StartFailure) in try request(command, isOnce: isOnce) }
    try signals.watch(on: reactor) { [unowned self] in heed($0, jobs) }
    let isAlone = isOnce && source.count == 1
    if !isAlone { jobs.whenOver = { job, ending in Self.tell(job, ending) } }
    jobs.start()
    while !jobs.isOver {
      reactor.turn()
      if LineTarget.standardOutput.isBroken { jobs.end(.asked) }
    }
    finish(jobs, isAlone: isAlone)
  }

  // MARK: Inputs

  private func inputSource(_ template: CommandTemplate) throws -> (any InputSource, isOnce: Bool) {
    let inputs = run.inputs
    var source: any InputSource
    if let copies = inputs.copies {
      guard words.lists.isEmpty else {
        throw ProgramProblem.usage("--copies is for a command without inputs")
      }
      return (CopiesSource(copies), copies == 1)
    }
    var files = inputs.files.map { ByteString($0) }
    let wantsInput = inputs.readsInput || inputs.isNullSeparated && files.isEmpty && words.lists.isEmpty
    if wantsInput || files.isEmpty && words.lists.isEmpty && template.hasPlaces { files.append("-") }
    if !words.lists.isEmpty {
      guard files.isEmpty else {
        throw ProgramProblem.usage("inputs come from ::: or from files (:::: FILE), not from both")
      }
      source = words.lists.count == 1 ? ListSource(words.lists[0]) : try ProductSource(words.lists)
    } else if files.isEmpty {
      return (CopiesSource(1), true)
    } else {
      let separator = inputs.isNullSeparated ? 0 : UInt8(ascii: "\n")
      source = ChainedSource(
        try files.map { try RecordSource.open($0, separator: separator, columns: inputs.columns) })
    }
    if let size = inputs.groupSize { source = GroupedSource(source, size: size) }
    return (source, false)
  }

  /// The first line of a table has to be read for them.
  private func names(of source: any InputSource) throws -> [String] {
    guard run.inputs.isCSV || run.inputs.hasHeader, let chain = source as? ChainedSource else { return [] }
    while true {
      if case .waiting(let descriptor) = try chain.look() {
        _ = isReadable(descriptor, within: -1)
      } else {
        return chain.names
      }
    }
  }

  private func printCommands(_ template: CommandTemplate, _ source: any InputSource) throws -> Never {
    var number = 0
    while true {
      switch try source.next() {
      case .waiting(let descriptor): _ = isReadable(descriptor, within: -1)
      case .end:
        LineTarget.standardOutput.settle()
        exit(LineTarget.standardOutput.loss == 0 ? 0 : 74)
      case .row(let row):
        number += 1
        let command = try template.command(row, number: number, slot: 0)
        let words = run.results.usesShell ? command : command.map { ShellQuoting.quote($0) }
        (Self.joined(words).bytes + [UInt8(ascii: "\n")]).withUnsafeBytes {
          LineTarget.standardOutput.write($0)
        }
        while LineTarget.standardOutput.isCongested { LineTarget.standardOutput.settle() }
        if LineTarget.standardOutput.isBroken { EndingSignals.die(of: SIGPIPE) }
      }
    }
  }

  // MARK: Commands

  private var shellLine: ByteString { Self.joined(words.command) }

  private static func joined(_ words: [ByteString]) -> ByteString {
    ByteString(words.map(\.bytes).joined(separator: [UInt8(ascii: " ")]))
  }

  private func request(_ command: [ByteString], isOnce: Bool) throws(StartFailure) -> SpawnRequest {
    var request: SpawnRequest
    if run.results.usesShell {
      request = SpawnRequest(
        path: "/bin/sh", arguments: ["sh", "-c", Self.joined(command)] as [ByteString],
        environment: environment)
    } else {
      request = SpawnRequest(path: try path(of: command[0]), arguments: command, environment: environment)
    }
    request.nice = Int32(run.limits.nice)
    if !isOnce || isatty(0) == 1 { request.descriptors.append((nothing.number, 0)) }
    return request
  }

  /// Looked for once: a program that is there stays there.
  private func path(of program: ByteString) throws(StartFailure) -> ByteString {
    if let known = paths[program] { return known }
    do throws(LaunchError) {
      let found = try ProgramSearch.find(program)
      paths[program] = found
      return found
    } catch {
      throw StartFailure(error.cause?.code ?? .other, "\(error)")
    }
  }

  private func options(isOnce: Bool) throws -> RunOptions {
    var options = RunOptions()
    let limits = run.limits
    func nanoseconds(_ seconds: Double) -> UInt64 { UInt64(seconds * 1e9) }
    options.width = try limits.width(copies: run.inputs.copies)
    options.output = run.results.output ?? (isOnce ? .raw : run.inputs.copies != nil ? .tag : .group)
    options.keepsOrder = run.results.keepsOrder
    options.timeLimit = limits.timeout.map(nanoseconds)
    options.grace = nanoseconds(limits.gracePeriod)
    (options.retries, options.retryDelay) = (limits.retries, nanoseconds(limits.retryDelay))
    options.delay = nanoseconds(limits.delay)
    options.halt = try limits.parsedHalt()
    options.background = limits.background == .wait ? .waits : .ends
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
    limit.rlim_cur = min(rlim_t(count), limit.rlim_max)
    setrlimit(which, &limit)
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
      for program in jobs.supervisor.running { program.signal(SIGTSTP) }
      raise(SIGSTOP)
      for program in jobs.supervisor.running { program.signal(SIGCONT) }
    case SIGCONT: break
    default:
      if endedBy != nil { return jobs.kill() }
      endedBy = signal
      jobs.end(.asked)
    }
  }

  // MARK: The end

  private static func tell(_ job: Job, _ ending: JobEnding) {
    guard !ending.isSuccess, ending.reason != .asked else { return }
    complainOfRun("job \(job.number) (\(job.label)): \(ending.description)")
  }

  private func finish(_ jobs: JobRun, isAlone: Bool) -> Never {
    LineTarget.standardOutput.settle()
    LineTarget.standardError.settle()
    // Those that have left their groups.
    apus_end_children(500)
    if let endedBy {
      complainOfRun("ended by signal \(SignalName.describe(endedBy))")
      EndingSignals.die(of: endedBy)
    }
    if LineTarget.standardOutput.isBroken { EndingSignals.die(of: SIGPIPE) }
    if let problem = jobs.problem {
      complainOfRun(problem.description)
      exit(74)
    }
    if LineTarget.standardOutput.loss != 0 {
      complainOfRun(
        "some of the output could not be written and is lost: \(String(cString: strerror(LineTarget.standardOutput.loss)))"
      )
      exit(74)
    }
    guard let (_, ending) = jobs.progress.firstFailure else { exit(0) }
    if isAlone {
      if ending.status == nil || ending.reason != nil { complainOfRun(ending.description) }
      exit(ending.exitCode)
    }
    complainOfRun("\(jobs.progress.failed) of \(jobs.progress.over) jobs failed")
    exit(1)
  }
}

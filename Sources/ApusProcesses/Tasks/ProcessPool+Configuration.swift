import ApusEngine
import ApusSystem
import CApus
import Glibc

extension ProcessPool {
  /// What can be set about a pool besides its width.
  public struct Configuration: Sendable {
    /// How long a task may take once it has begun, unless its call says otherwise; nil: as long as it likes.
    ///
    /// A task past its limit is asked to stop (`PoolTask.isCancelled`); after `gracePeriod` its worker's whole
    /// process group is killed.
    public var timeLimit: Duration?

    /// How long a call may take, the time in the queue included; nil: as long as it likes. What is not done by then fails,
    /// and what runs is asked to stop, as past a time limit.
    public var deadline: Duration?

    /// How long a task that was asked to stop may go on before its worker is killed.
    public var gracePeriod: Duration = .milliseconds(100)

    /// How often a task is tried again after its worker died, unless its call says otherwise. A task that
    /// throws is not tried again.
    public var retries = 0

    /// How many workers may be replaced in the pool's life; nil: any number.
    public var maximumRestarts: Int?

    /// How long a new worker may take until it is ready, its start hook included; nil: as long as it likes.
    public var startUpLimit: Duration? = .seconds(60)

    /// After how many tasks a worker is replaced, for code that leaks or grows; nil: never. The next worker gets ready while
    /// this one does its last tasks. It does not count as a restart.
    public var tasksPerWorker: Int?

    /// What a worker that a trap or a fault ends says about it on standard error, and so in `TaskError.standardError`.
    public enum Backtraces: Sendable, Hashable {
      /// The message, and a backtrace with functions and lines: some 0.3 s, in which the worker is not replaced yet. If the
      /// environment sets SWIFT_BACKTRACE, that holds instead.
      case full
      /// The message, and where it happened: a third of that time.
      case short
      /// The message, and what addresses the runtime knows without looking: no time at all.
      case off

      /// For the environment of workers; nil: as it is.
      package var setting: String? {
        switch self {
        case .full: nil
        case .short: ProgramCommand.backtraceStyle + ",limit=4,top=0,symbolicate=fast"
        case .off: "enable=no"
        }
      }
    }

    /// What a worker that a trap or a fault ends says about it. A task's time limit does not count the time that takes.
    public var backtraces = Backtraces.full

    /// Where the pool tells what happens: workers that start and end, tasks that fail.
    public var events: EventStream = .shared

    /// How many bytes of memory a worker may hold, with what it has started, 16 MiB at least; nil: as many as there are.
    ///
    /// The pool looks 50 times a second. A task whose worker holds more is that task's error (`memoryLimitExceeded`), and its
    /// worker is killed. What a task leaves behind is not the next one's fault: a worker that has kept more than half of what
    /// the limit leaves it, above what it held before its first task, is replaced before it begins another. Counted is memory
    /// of the processes' own and shared memory that they have mapped, not mapped files.
    ///
    /// Where the program may make control groups, the kernel sees to a limit that is an eighth and 16 MiB higher, too, and
    /// counts files in memory (`/dev/shm`) as well.
    public var memoryLimit: Int?

    /// Whether a task that has exceeded `memoryLimit` is tried once more, when nothing else runs, with the memory of all
    /// workers together.
    public var retriesAlone = false

    /// How many tasks of `run` and `submit` may wait for a worker; nil: any number. (Calls over many inputs draw these as the
    /// workers need them, and never fill the queue.)
    public var queueLimit: Int?

    /// What becomes of a task for which there is no room.
    public enum WhenFull: Sendable, Hashable {
      /// The caller waits: suspended in the awaited form of `run`, and with its thread blocked in the blocking form and in
      /// `submit`.
      case wait
      /// The call throws `queueFull`.
      case fail
    }

    /// What becomes of a task when `queueLimit` tasks wait.
    public var whenQueueIsFull = WhenFull.wait

    /// Where what workers print goes. In whole lines, a line that a task leaves open waits for its end, which may come from a
    /// later task; a `handler` has it when the task has ended. In a pool of no workers tasks print where the program does, whatever is said here.
    public var output = WorkerOutput.relayed

    // MARK: Workers

    /// What the pool is called: in events and errors, and in `ps` and `top`, where its workers are `name/0`, `name/1`…
    /// (`top` shows 15 letters). Nil: its workers are called as the program is.
    public var name: String?

    /// Variables that workers have in their environment and the program has not, or has with another value; a nil value
    /// takes one away (`environment.updateValue(nil, forKey: "DEBUG")`: the subscript would remove the entry). Workers have the rest as the program has it when the pool is made.
    public var environment: [String: String?] = [:]

    /// What workers see as the program's arguments, behind its name; nil: the program's own.
    public var arguments: [String]?

    /// The folder that workers start in; nil: the program's, when the pool is made.
    public var workingDirectory: String?

    /// What a signal does to a worker until a body changes it.
    public enum SignalAction: Sendable, Hashable {
      /// Nothing.
      case ignore
      /// What it does by default: most end the process.
      case standard
    }

    /// What signals do to workers, by number (`SIGINT`). Those that are not named do what they do by default, but for those
    /// that were ignored when the program was started (as by `nohup`): these stay ignored, SIGCHLD and SIGPIPE never.
    public var signals: [Int32: SignalAction] = [:]

    /// What the workers' random generators (`PoolTask.random`) begin with: the first workers of two pools with the same seed
    /// draw the same numbers, each worker others. Nil: chance.
    public var seed: UInt64?

    // MARK: Single calls, by the pool's modifiers

    var place: Int?
    var progress: (@Sendable (CallProgress) -> Void)?

    package var startHook: Hook?
    package var exitHook: Hook?

    /// The defaults.
    public init() {}

    package func validated(workers: Int) throws -> Configuration {
      func check(_ holds: Bool, _ message: String) throws {
        if !holds { throw TaskError(.invalidArgument, message) }
      }
      try check(workers >= 0, "a pool can't have \(workers) workers; 0 runs every task in the caller")
      try check(workers <= 4096, "a pool of \(workers) workers is more than Apus supports (4096)")
      try check(retries >= 0, "retries can't be negative (\(retries))")
      try check((maximumRestarts ?? 0) >= 0, "maximumRestarts can't be negative (\(maximumRestarts ?? 0))")
      try check(timeLimit ?? .seconds(1) > .zero, "a time limit must be positive, not \(timeLimit ?? .zero)")
      try check(gracePeriod >= .zero, "a grace period can't be negative (\(gracePeriod))")
      try check(startUpLimit ?? .seconds(1) > .zero, "startUpLimit must be positive")
      try check(deadline ?? .seconds(1) > .zero, "a deadline must be positive, not \(deadline ?? .zero)")
      try check(
        queueLimit ?? 1 > 0,
        "queueLimit must be positive, not \(queueLimit ?? 0): with no room nothing could wait")
      if let memoryLimit {
        try check(
          memoryLimit >= 16 << 20,
          "a memory limit of \(memoryLimit) bytes is less than a worker needs for itself (16 MiB)")
        try check(
          memoryLimit <= 1 << 50, "a memory limit of \(memoryLimit) bytes is more than any machine has")
      }
      if case .descriptors(let output, let errors) = output {
        for number in [output, errors] {
          let mode = fcntl(number, F_GETFL)
          try check(mode >= 0, "output can't go to descriptor \(number): it is not open")
          try check(
            mode & O_ACCMODE != O_RDONLY,
            "output can't go to descriptor \(number): it is open for reading only")
        }
      }
      try check(tasksPerWorker ?? 1 > 0, "tasksPerWorker must be positive, not \(tasksPerWorker ?? 0)")
      try checkSurroundings(check)
      return self
    }

    private func checkSurroundings(_ check: (Bool, String) throws -> Void) throws {
      func isText(_ text: String) -> Bool { !text.utf8.contains(0) }
      try check(
        name.map { isText($0) && !$0.isEmpty && !$0.contains("\n") } ?? true,
        "a pool's name is one line of text")
      for (variable, value) in environment {
        try check(
          isText(variable) && !variable.isEmpty && !variable.contains("="),
          "a variable of the environment can't be called \"\(variable)\"")
        try check(!variable.hasPrefix(APUS_WORKER_VARIABLE), "\(variable) is one of Apus's own variables")
        try check(isText(value ?? ""), "the value of \(variable) holds a NUL")
      }
      try check(arguments?.allSatisfy(isText) ?? true, "an argument holds a NUL")
      if let workingDirectory {
        var found = stat()
        try check(
          isText(workingDirectory) && stat(workingDirectory, &found) == 0
            && found.st_mode & S_IFMT == S_IFDIR,
          "workers can't start in \"\(workingDirectory)\": there is no such folder")
      }
      for signal in signals.keys {
        try check(
          (1...64).contains(signal) && signal != SIGKILL && signal != SIGSTOP,
          "what signal \(signal) does can't be set")
      }
    }
  }
}

extension SpawnRequest {
  /// With what a pool's configuration says of its workers.
  package func amended(by configuration: ProcessPool.Configuration) -> SpawnRequest {
    var request = self
    for (name, value) in configuration.environment {
      request.environment.removeAll { $0.hasPrefix("\(name)=") }
      if let value { request.environment.append(ByteString("\(name)=\(value)")) }
    }
    if let arguments = configuration.arguments {
      // Its name, and what it is.
      request.arguments = request.arguments.prefix(2) + arguments.map { ByteString($0) }
    }
    // Workers that are replaced later start there too, wherever the program has gone meanwhile.
    request.workingDirectory = configuration.workingDirectory.map { folder in
      guard let whole = realpath(folder, nil) else { return folder }
      defer { free(whole) }
      return String(cString: whole)
    }
    for (signal, action) in configuration.signals {
      let bit: UInt64 = 1 << UInt64(signal - 1)
      switch action {
      case .ignore: request.ignoredSignals |= bit
      case .standard: request.defaultSignals |= bit
      }
    }
    return request
  }
}

extension EngineConfiguration {
  /// Throws `TaskError` if a hook can't be named to a worker, or its value not be encoded.
  package init(workers: Int, command: SpawnRequest, _ configuration: ProcessPool.Configuration) throws {
    self.init(workers: workers, command: command.amended(by: configuration))
    if let name = configuration.name {
      self.name = name
      labelsWorkers = true
    }
    (startHook, exitHook) = (
      try configuration.startHook?.forEngine(), try configuration.exitHook?.forEngine()
    )
    (output, outputLabel) = (configuration.output, configuration.name)
    seed = configuration.seed
    tasksPerWorker = configuration.tasksPerWorker
    queueLimit = configuration.queueLimit
    memoryLimit = configuration.memoryLimit.map { UInt64($0) }
    retriesAlone = configuration.retriesAlone
    startUpLimit = configuration.startUpLimit?.inNanoseconds
    restarts = configuration.maximumRestarts
    events = configuration.events
  }
}

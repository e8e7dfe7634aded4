import ApusEngine
import ApusSystem

extension ProcessPool {
  /// What can be set about a pool besides its width.
  public struct Configuration: Sendable {
    /// How long a task may take once it has begun, unless its call says otherwise; nil: as long as it likes.
    ///
    /// A task past its limit is asked to stop (`PoolTask.isCancelled`); after `gracePeriod` its worker's whole
    /// process group is killed.
    public var timeLimit: Duration?

    /// How long a task that was asked to stop may go on before its worker is killed.
    public var gracePeriod: Duration = .milliseconds(100)

    /// How often a task is tried again after its worker died, unless its call says otherwise. A task that
    /// throws is not tried again.
    public var retries = 0

    /// How many workers may be replaced in the pool's life; nil: any number.
    public var maximumRestarts: Int?

    /// How long a new worker may take until it is ready; nil: as long as it likes.
    public var startUpLimit: Duration? = .seconds(60)

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
      return self
    }
  }
}

extension EngineConfiguration {
  package init(workers: Int, command: SpawnRequest, _ configuration: ProcessPool.Configuration) {
    self.init(workers: workers, command: command)
    startUpLimit = configuration.startUpLimit?.inNanoseconds
    restarts = configuration.maximumRestarts
    events = configuration.events
  }
}

extension Duration {
  /// Nanoseconds, at most some 290 years: enough for a limit.
  package var inNanoseconds: UInt64 {
    guard self > .zero else { return 0 }
    let (seconds, attoseconds) = components
    guard seconds < 9_000_000_000 else { return UInt64(Int64.max) }
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }
}

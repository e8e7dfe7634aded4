import CApus
import ApusEngine
import ApusSystem
import ApusWire

extension ProcessPool {
  /// Starts a pool. The workers are on their way when this returns; tasks may be given at once.
  ///
  /// - Parameters:
  ///   - workers: How many worker processes; nil: as many as there are processors for this process (affinity
  ///     and control group counted). 0: none; every task runs in the caller, for debugging. The rules are the same,
  ///     but limits, deadlines, the seed and what is said of worker processes do not act.
  ///   - configuration: What else can be set.
  /// - Throws: `TaskError` if `workers` or a limit is negative, if this program can't be run again as a
  ///   worker, or if the system refuses every process.
  public convenience init(workers: Int? = nil, configuration: Configuration = Configuration()) throws {
    let width = Processors.available
    let workers = workers ?? width
    let configuration = try configuration.validated(workers: workers)
    guard workers > 0 else {
      self.init(nil, configuration)
      return
    }
    let settings = try TaskError.starting {
      try EngineConfiguration(
        workers: workers,
        command: ProgramCommand.ofThisProgram(
          as: APUS_WORKER_ARGUMENT, share: max(1, width / workers),
          backtraces: configuration.backtraces.setting), configuration)
    }
    self.init(try TaskError.starting { try PoolEngine(settings) }, configuration)
    MainVariables.warnSoon()
  }
}

/// Runs `body` with a pool that is ended when `body` returns or throws.
///
/// - Parameters:
///   - workers: How many worker processes; nil: one a processor; 0: none, every task runs in the caller.
///   - configuration: What else can be set.
///   - body: What to do with the pool. When it throws, tasks that are still running are ended at once.
/// - Returns: What `body` returns.
/// - Throws: What `body` throws, and `TaskError` if the pool can't be made.
@discardableResult
public func withProcessPool<Result>(
  workers: Int? = nil, configuration: ProcessPool.Configuration = .init(),
  _ body: (ProcessPool) async throws -> Result
) async throws -> Result {
  try await ProcessPool(workers: workers, configuration: configuration).whileOpen(body)
}

/// Runs `body` with a pool that is ended when `body` returns or throws: the form that blocks, for synchronous code.
///
/// The asynchronous form says more.
@_disfavoredOverload  // a body without `await` does not make an awaited call mean this one
@available(*, noasync, message: "await the asynchronous form")
@discardableResult
public func withProcessPool<Result>(
  workers: Int? = nil, configuration: ProcessPool.Configuration = .init(),
  _ body: (ProcessPool) throws -> Result
) throws -> Result {
  try ProcessPool(workers: workers, configuration: configuration).whileOpen(body)
}

import ApusCore

/// Worker processes that run functions of this program.
///
/// A worker is this program run again, so a task that traps, exits, leaks or hangs costs one task and not the
/// program: its error says how the worker ended, another worker takes its place, and all other tasks go on.
///
/// ```swift
/// try await withProcessPool(workers: 4) { pool in
///   let sizes = try await pool.map(files, compressedSize)
/// }
/// ```
///
/// Every call has an asynchronous and a blocking form of the same name; which one is meant follows from where
/// it stands. A pool can be used from any number of tasks and threads at once.
///
/// Arguments and results are `Codable`. Numbers, and types that conform to `RawCodable`, travel as plain
/// memory, and so do arrays of them; everything else through a compact binary coder.
public final class ProcessPool: Sendable {
  let engine: PoolEngine?
  let configuration: Configuration
  /// For a pool without an engine, which would know.
  let isClosed = Locked(false)

  /// Starts a pool. The workers are on their way when this returns; tasks may be given at once.
  ///
  /// - Parameters:
  ///   - workers: How many worker processes; nil: as many as there are processors for this process (affinity
  ///     and control group counted). 0: none; every task runs in the caller, for debugging. The rules are the same,
  ///     except that time limits do not act.
  ///   - configuration: What else can be set.
  /// - Throws: `TaskError` if `workers` or a limit is negative, if this program can't be run again as a
  ///   worker, or if the system refuses every process.
  public init(workers: Int? = nil, configuration: Configuration = Configuration()) throws {
    let width = Processors.available
    let workers = workers ?? width
    self.configuration = try configuration.validated(workers: workers)
    guard workers > 0 else {
      engine = nil
      return
    }
    do {
      let command = try WorkerCommand.ofThisProgram(share: max(1, width / workers))
      var settings = EngineConfiguration(workers: workers, command: command)
      settings.startUpLimit = configuration.startUpLimit?.inNanoseconds
      settings.restarts = configuration.maximumRestarts
      settings.events = configuration.events
      engine = try PoolEngine(settings)
      MainVariables.warnOnce()  // now, while the workers start
    } catch let error as ProcessError {
      throw TaskError(.noResources, "no worker could be started: \(error)", underlying: error)
    } catch let problem as WorkerCommand.Problem {
      throw TaskError(.startUpFailed, problem.description)
    }
  }

  deinit { engine?.shutDown(within: 0) }

  /// How many workers the pool has; 0 if tasks run in the caller.
  public var workerCount: Int { engine?.configuration.workers ?? 0 }

  /// The process identifiers of the workers that live now.
  public var processIdentifiers: [Int32] { engine?.processIdentifiers ?? [] }

  /// Ends the pool: no more calls are taken, tasks that were given may finish within `limit`, then everything
  /// is ended. Blocks until no worker is left; calls after it throw.
  ///
  /// - Parameter limit: How long tasks that were given may still take; `.zero` ends them at once.
  @available(*, noasync, message: "await the asynchronous form")
  public func shutdown(within limit: Duration = .seconds(5)) {
    isClosed.withLock { $0 = true }
    engine?.shutDown(within: limit.inNanoseconds)
  }

  /// Ends the pool, as the blocking form does, without blocking the caller's thread.
  public func shutdown(within limit: Duration = .seconds(5)) async {
    isClosed.withLock { $0 = true }
    guard let engine else { return }
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      do {
        try NativeThread.start(name: "apus-shutdown") {
          engine.shutDown(within: limit.inNanoseconds)
          continuation.resume()
        }
      } catch {
        // No thread is to be had: blocking this one is what is left.
        engine.shutDown(within: limit.inNanoseconds)
        continuation.resume()
      }
    }
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
public func withProcessPool<Result>(
  workers: Int? = nil, configuration: ProcessPool.Configuration = .init(),
  _ body: (ProcessPool) async throws -> Result
) async throws -> Result {
  let pool = try ProcessPool(workers: workers, configuration: configuration)
  do {
    let result = try await body(pool)
    await pool.shutdown()
    return result
  } catch {
    await pool.shutdown(within: .zero)
    throw error
  }
}

/// The blocking form of `withProcessPool`.
@_disfavoredOverload  // a body without `await` does not make an awaited call mean this one
@available(*, noasync, message: "await the asynchronous form")
public func withProcessPool<Result>(
  workers: Int? = nil, configuration: ProcessPool.Configuration = .init(),
  _ body: (ProcessPool) throws -> Result
) throws -> Result {
  let pool = try ProcessPool(workers: workers, configuration: configuration)
  do {
    let result = try body(pool)
    pool.shutdown()
    return result
  } catch {
    pool.shutdown(within: .zero)
    throw error
  }
}

package import ApusEngine
import ApusSystem
import ApusWire

/// Worker processes that run functions of this program.
///
/// A worker is this program run again, so a task that traps, exits or hangs costs one task and not the
/// program: its error says how the worker ended, another worker takes its place, and all other tasks go on.
///
/// ```swift
/// try await withProcessPool(workers: 4) { pool in
///   let sizes = try await pool.map(files, compressedSize)
/// }
/// ```
///
/// The workers are on this machine, or they are the other ranks of a job, on many machines: `withRankPool`. Every call
/// is the same there.
///
/// Every call has an asynchronous and a blocking form of the same name; which one is meant follows from where
/// it stands. A pool can be used from any number of tasks and threads at once.
///
/// Arguments and results are `Codable`. Numbers, and types that conform to `RawCodable`, travel as plain
/// memory, and so do arrays of them; everything else through a compact binary coder.
public final class ProcessPool: Sendable {
  let engine: PoolEngine?
  let configuration: Configuration
  /// The pool that this is a view of, which ends when it is let go of.
  private let pool: ProcessPool?
  /// For a pool without an engine, which would know.
  let isClosed: Locked<Bool>
  /// Of a pool without an engine.
  let inline: InlineWorker?

  /// A pool on workers that were started; nil: none, every task runs in the caller.
  package init(_ engine: PoolEngine?, _ configuration: Configuration) {
    (self.engine, self.configuration, isClosed, pool) = (engine, configuration, Locked(false), nil)
    inline = engine == nil ? InlineWorker(configuration) : nil
  }

  /// The same pool with another configuration for calls.
  init(viewOf pool: ProcessPool, _ configuration: Configuration) {
    (engine, isClosed, inline) = (pool.engine, pool.isClosed, pool.inline)
    (self.configuration, self.pool) = (configuration, pool.pool ?? pool)
  }

  /// Ends the workers, and waits a moment until they are gone: not for as long as one may take that hangs in the kernel,
  /// nor for whoever reads their output, since this may be a cooperative thread.
  deinit {
    guard pool == nil, let engine, !engine.hasEnded else { return }
    let done = NativeSemaphore()
    do {
      try NativeThread.start(name: "apus-shutdown") {
        Self.end(engine, within: 0)
        done.signal()
      }
      done.wait(milliseconds: 50)
    } catch { Self.end(engine, within: 0) }
  }

  private static func end(_ engine: PoolEngine, within limit: UInt64) {
    MainVariables.warnIfDue()
    engine.shutDown(within: limit)
  }

  /// How many workers the pool has; 0 if tasks run in the caller.
  public var workerCount: Int { engine?.configuration.workers ?? 0 }

  /// The process identifiers of the workers that live now, on whichever machine.
  public var processIdentifiers: [Int32] { engine?.processIdentifiers ?? [] }

  /// Ends the pool: no more calls are taken, tasks that were given may go on for `gracePeriod`, then everything
  /// is ended. Blocks until no worker is left; calls after it throw.
  ///
  /// - Parameter gracePeriod: How long tasks that were given may still take; `.zero` ends them at once.
  @available(*, noasync, message: "await the asynchronous form")
  public func shutdown(gracePeriod: Duration = .seconds(5)) {
    isClosed.withLock { $0 = true }
    if let engine { Self.end(engine, within: gracePeriod.inNanoseconds) }
    if let inline, inline.close(), gracePeriod > .zero { blocking { await inline.end(within: gracePeriod) } }
  }

  /// Ends the pool, as the blocking form does, without blocking the caller's thread.
  public func shutdown(gracePeriod: Duration = .seconds(5)) async {
    isClosed.withLock { $0 = true }
    guard let engine else {
      if let inline, inline.close(), gracePeriod > .zero { await inline.end(within: gracePeriod) }
      return
    }
    await NativeThread.run(name: "apus-shutdown") { Self.end(engine, within: gracePeriod.inNanoseconds) }
  }
}

extension ProcessPool {
  /// Runs `body` with the pool, which is ended when `body` returns or throws: at once when it throws.
  package func whileOpen<Result>(_ body: (ProcessPool) async throws -> Result) async throws -> Result {
    do {
      let result = try await body(self)
      await shutdown()
      return result
    } catch {
      await shutdown(gracePeriod: .zero)
      throw error
    }
  }

  /// The blocking form.
  @available(*, noasync)
  package func whileOpen<Result>(_ body: (ProcessPool) throws -> Result) throws -> Result {
    do {
      let result = try body(self)
      shutdown()
      return result
    } catch {
      shutdown(gracePeriod: .zero)
      throw error
    }
  }
}

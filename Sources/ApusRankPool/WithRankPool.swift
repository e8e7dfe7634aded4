import CApus
import ApusEngine
public import ApusMessages
public import ApusProcesses
import ApusSystem
import ApusWire
import Synchronization

/// Runs `body` on rank 0 with a pool whose workers are the ranks of a communicator; the others serve it until it ends.
///
/// Every rank calls it. It is the process pool with its workers on other machines: the same calls, the same scheduler,
/// the same errors.
///
/// ```swift
/// let world = try Communicator.world()
/// try await withRankPool(world) { pool in
///   print(try await pool.map(numbers, fib))
/// }
/// ```
///
/// Rank 0 gives out work. With `workersPerRank: 0` each of the others runs tasks in its own process, one at a time: what a
/// task throws is that task's error, but one that crashes takes its rank with it, and with that the job, as MPI has it
/// (every call throws then); one that does not stop when it is asked to, cancelled or past its time limit, counts as
/// failed as soon as its rank has said so, and holds the rank until it ends. With `workersPerRank: n`, each rank has `n` worker processes, rank 0
/// too, and a task that crashes or is killed costs one task and nothing else.
///
/// A world of one has no other ranks: its tasks run in rank 0's worker processes, or in the caller if it has none.
/// What workers and ranks print comes out on their rank, in no order with results. Launchers may bind each rank to a
/// processor, and its workers with it (Open MPI: `--bind-to none`).
///
/// - Parameters:
///   - communicator: Whose ranks. They send nothing else meanwhile.
///   - workersPerRank: How many worker processes this rank has; ranks may differ, and 0 means what it means above. A
///     rank without any is one worker, but for rank 0.
///   - configuration: What else can be set; rank 0's counts. But the environment, arguments, folder, signals and output of
///     worker processes are as the rank says that has them.
///   - body: What to do with the pool, on rank 0. When it throws, tasks that are still running are ended.
/// - Returns: What `body` returns, on rank 0; nil on the others.
/// - Throws: What `body` throws. On all ranks `MessageError`: `startUpFailed` if they are runs of different builds,
///   `invalidArgument` if this rank is in a pool over ranks already or this is a task of a pool, `rankFailed` and
///   `rankEnded` on those that serve if rank 0 is gone. `TaskError` if workers can't be started.
@discardableResult
public func withRankPool<Result>(
  _ communicator: Communicator, workersPerRank: Int = 0, configuration: ProcessPool.Configuration = .init(),
  _ body: (ProcessPool) async throws -> Result
) async throws -> Result? {
  try RankPool.enter()
  defer { RankPool.leave() }
  // In the caller's stead: a rank that serves may run tasks in this process.
  let part = await NativeThread.run(name: "apus-rank-pool", signals: .likeProgram) {
    () -> Swift.Result<RankPool?, any Error> in
    .init { try RankPool.join(communicator, workersPerRank, configuration) }
  }
  guard let part = try part.get() else { return nil }
  let result: Swift.Result<Result, any Error>
  do { result = .success(try await part.pool.whileOpen(body)) } catch { result = .failure(error) }
  await NativeThread.run(name: "apus-rank-pool") { part.finish() }
  return try result.get()
}

/// The blocking form of `withRankPool`.
///
/// An asynchronous body of a task must not need the main actor here: a rank that serves blocks its thread.
@_disfavoredOverload  // a body without `await` does not make an awaited call mean this one
@available(*, noasync, message: "await the asynchronous form")
@discardableResult
public func withRankPool<Result>(
  _ communicator: Communicator, workersPerRank: Int = 0, configuration: ProcessPool.Configuration = .init(),
  _ body: (ProcessPool) throws -> Result
) throws -> Result? {
  try RankPool.enter()
  defer { RankPool.leave() }
  guard let part = try RankPool.join(communicator, workersPerRank, configuration) else { return nil }
  defer { part.finish() }
  return try part.pool.whileOpen(body)
}

/// Rank 0's part of a pool over ranks.
private struct RankPool: Sendable {
  let pool: ProcessPool
  let workers: RankWorkers?

  private static let isEntered = Atomic<Bool>(false)

  static func enter() throws {
    if PoolTask.isInWorker {
      throw MessageError(
        .invalidArgument,
        "a task of a pool can't make a pool over ranks: they wait for tasks already; make a process pool")
    }
    guard !isEntered.exchange(true, ordering: .acquiring) else {
      throw MessageError(
        .invalidArgument, "this rank is in a pool over ranks already, which has to end before the next one")
    }
  }

  static func leave() { isEntered.store(false, ordering: .releasing) }

  /// Rank 0's part; the others serve, and have nil when it is over.
  static func join(
    _ communicator: Communicator, _ workersPerRank: Int, _ configuration: ProcessPool.Configuration
  ) throws -> RankPool? {
    // Whatever is wrong on one rank, all hear of it before any of them waits for another.
    let valid = Result {
      (
        configuration: try validated(configuration, workersPerRank),
        command: workersPerRank > 0
          ? try TaskError.starting {
            try ProgramCommand.ofThisProgram(
              as: APUS_WORKER_ARGUMENT, share: max(1, Processors.available / workersPerRank),
              backtraces: configuration.backtraces.setting
            ).amended(by: configuration)
          } : nil
      )
    }
    let isValid = (try? valid.get()) != nil
    let cards = try communicator.allGather(
      concatenating: CodeReference.programIdentity() + [isValid ? UInt64(workersPerRank) : .max])
    let own = try communicator.duplicate()
    let (configuration, command) = try valid.get()
    let processes = try check(cards)
    guard communicator.rank == 0 else {
      try RankServer(own, command, processes: workersPerRank, output: configuration.output).serve()
      return nil
    }
    MainVariables.warnOnce()
    guard communicator.size > 1 || workersPerRank > 0 else {
      return RankPool(pool: ProcessPool(nil, configuration), workers: nil)
    }
    let workers = communicator.size > 1 ? try RankWorkers(own, processes: processes) : nil
    do {
      var settings = try EngineConfiguration(
        workers: workersPerRank + (workers?.count ?? 0),
        command: command ?? SpawnRequest(path: ByteString(""), arguments: [], environment: []), configuration)
      settings.distant = workers
      settings.outputLabel = String(communicator.rank)
      let engine = try TaskError.starting { try PoolEngine(settings) }
      return RankPool(pool: ProcessPool(engine, configuration), workers: workers)
    } catch {
      workers?.finish()
      throw error
    }
  }

  private static func validated(
    _ configuration: ProcessPool.Configuration, _ workersPerRank: Int
  ) throws -> ProcessPool.Configuration {
    guard configuration.tasksPerWorker == nil, configuration.memoryLimit == nil else {
      throw TaskError(
        .invalidArgument,
        "`tasksPerWorker` and `memoryLimit` do not act on the workers of other ranks, only in a process pool")
    }
    return try configuration.validated(workers: workersPerRank)
  }

  /// How many processes each rank has, if all ranks can take part.
  private static func check(_ cards: [UInt64]) throws -> [Int] {
    try stride(from: 0, to: cards.count, by: 4).map { start in
      let rank = start / 4
      if cards[start..<start + 3] != cards[0..<3] {
        throw MessageError(
          .startUpFailed,
          "rank \(rank) runs another build of the program than rank 0, so functions can't be named to it; start the "
            + "same file on all ranks", rank: rank)
      }
      guard cards[start + 3] != .max else {
        throw MessageError(
          .startUpFailed, "rank \(rank) can't take part in the pool; it throws the reason", rank: rank)
      }
      return Int(clamping: cards[start + 3])
    }
  }

  func finish() { workers?.finish() }
}

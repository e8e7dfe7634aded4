import ApusSystem
import CApus
import Glibc
package import Synchronization

extension Communicator {
  /// All ranks of the job. The first call joins them, and later ones give the same communicator.
  ///
  /// Started by `apus launch -n 4`, the program is one of four ranks, which talk through shared memory; started by
  /// the launcher of an MPI library (`mpirun`, `mpiexec`, Slurm), or with one named in `APUS_MPI_LIBRARY`, the ranks
  /// talk through that library; started alone it is a world of one. A rank has ended its part when its process exits in
  /// good order (`main` returns, or `exit(0)`).
  ///
  /// - Throws: `MessageError`: `startUpFailed`, also if the MPI library allows fewer threads than are asked for;
  ///   `noResources`.
  public static func world(threads: ThreadLevel = .serialized) throws -> Communicator {
    try shared.withLock { shared in
      if let world = shared {
        if threads.isMultiple { try world.progress.share() }
        return world
      }
      let world = try join(threads)
      shared = world
      return world
    }
  }

  private static let shared = Locked<Communicator?>(nil)

  /// Whether this rank serves others until they let it go: if its process ends meanwhile, it has not ended its part in
  /// good order.
  package static let isServing = Atomic<Bool>(false)

  private static func join(_ threads: ThreadLevel) throws -> Communicator {
    // Before an MPI library opens anything.
    apus_reserve_standard_streams()
    do {
      if let joined = try JoinedRank.join() {
        let memory = try LocalMemory(joined.memory.number, ranks: joined.size)
        return world(memory, rank: joined.rank, threads)
      }
    } catch let error as LaunchError {
      throw MessageError(.startUpFailed, error.message, underlying: error)
    }
    if apus_started_as(APUS_WORKER_ARGUMENT), MPILibrary.isWanted {
      throw MessageError(
        .startUpFailed, "a worker of a pool is no rank: what the launcher started is the process above it")
    }
    if let library = try MPILibrary.ofLauncher(threads.mpi) {
      // A launcher's pipe would hold lines back until the end, and several ranks' lines are better whole.
      apus_stdout_line_buffered()
      do {
        let transport = try MPITransport(library, threads: threads)
        apus_on_exit { Communicator.endMPI(status: $0) }
        // A child that called the library would take its parent's messages.
        transport.gate.staysShutInForks()
        return Communicator(transport)
      } catch let failure as MPIFailure {
        throw MessageError(.startUpFailed, "\(failure)", underlying: failure)
      }
    }
    let memory = try LocalMemory.make(ranks: 1)
    return world(try LocalMemory(memory.number, ranks: 1), rank: 0, threads)
  }

  private static func world(_ memory: LocalMemory, rank: Int, _ threads: ThreadLevel) -> Communicator {
    let transport = LocalTransport(memory, rank: rank, sharesThreads: threads.isMultiple) { status in
      try? JoinedRank.join()?.abort()
      _exit(status == 0 ? 1 : status)
    }
    apus_on_exit { Communicator.endWorld(status: $0) }
    transport.gate.staysShutInForks()
    return Communicator(transport)
  }

  /// Of a regular exit: the others need not wait for anything more from here.
  private static func endWorld(status: Int32) {
    // Else the supervisor tells the others of the failure.
    guard status == 0, !isServing.load(ordering: .relaxed) else { return }
    if let transport = shared.withLock({ $0?.transport as? LocalTransport }) {
      do { try transport.end() } catch {
        // Once the process is gone, the supervisor tells the others, if there are any.
        if transport.size > 1 { return tellOfBadEnd(transport.rank, error) }
      }
    }
    try? JoinedRank.join()?.finalized()
  }

  /// A rank that fails ends the job: the others would wait for it. One that ends in good order waits for the others,
  /// as MPI has it.
  private static func endMPI(status: Int32) {
    guard let transport = shared.withLock({ $0?.transport as? MPITransport }) else { return }
    let isServing = isServing.load(ordering: .relaxed)
    // Another thread may be in the library.
    if isServing { try? transport.enter() }
    if status != 0 || isServing { transport.headers.abort(status: status == 0 ? 1 : status) }
    do { try transport.finish() } catch {
      // To finish MPI while a thread is in a call of it is not allowed, and without that the others would wait.
      tellOfBadEnd(transport.rank, error)
      transport.headers.abort(status: 1)
    }
  }

  private static func tellOfBadEnd(_ rank: Int, _ error: any Error) {
    let problem = "apus: rank \(rank) can't end its part in good order, so the job is ended: \(error)\n"
    _ = problem.withCString { write(2, $0, strlen($0)) }
  }

  /// Ends the whole job, with `status` as the status of this rank.
  public func abort(_ status: Int32 = 1) -> Never { transport.abort(status) }

  /// The name of the machine that this rank runs on.
  public var node: String {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Seconds since some moment in the past, from a clock that never goes back. Other ranks have other moments.
  public static var wallClock: Double { Double(apus_now()) * 1e-9 }
}

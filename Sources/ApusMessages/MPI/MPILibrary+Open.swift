import CApus

extension MPILibrary {
  /// Opens the first of the finder's candidates that can be loaded and that the launcher serves.
  static func open(
    _ finder: MPIFinder, launcher: MPILauncher?
  ) throws(MPIFailure) -> (ABI, version: String, Make) {
    // Before all: two MPI libraries in one process would be two worlds.
    if finder.named == nil && apus_mpi_is_in_program(), let abi = load(nil).abi {
      let (version, make) = describe()
      return (abi, version, make)
    }
    var problems: [String] = []
    for candidate in finder.candidates() {
      let (abi, problem) = load(candidate)
      guard let abi else {
        problems.append("  \(candidate): \(problem)")
        continue
      }
      let (version, make) = describe()
      if let launcher, !launcher.serves(make) {
        let path = String(cString: apus_mpi_path())
        let problem = "Each rank would be alone in a world of its own."
        if finder.named != nil { throw misfit(launcher, path: path, version: version, problem) }
        problems.append("  \(path): \(version), which \(launcher.name) does not serve")
        apus_mpi_close()
        continue
      }
      return (abi, version, make)
    }
    throw notFound(finder, launcher: launcher, problems: problems)
  }

  private static func load(_ path: String?) -> (abi: ABI?, problem: String) {
    var abi: ABI?
    let problem = text { buffer, size in
      switch apus_mpi_open(path, buffer, size) {
      case APUS_MPI_STANDARD: abi = .standard
      case APUS_MPI_OPEN_MPI: abi = .openMPI
      case APUS_MPI_MPICH: abi = .mpich
      default: abi = nil
      }
      return 0
    }
    return (abi, problem)
  }

  private static func describe() -> (version: String, Make) {
    let whole = text { apus_mpi_library_version($0, $1) }
    let make: Make =
      if whole.contains("Open MPI") { .openMPI } else if whole.contains("MPICH") { .mpich } else { .other }
    // MPICH goes on for pages about how it was built.
    let line = whole.split(whereSeparator: \.isNewline).first ?? ""
    let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    return (words.split(separator: ",").first.map { String($0) } ?? "an MPI library", make)
  }

  private static func notFound(
    _ finder: MPIFinder, launcher: MPILauncher?, problems: [String]
  ) -> MPIFailure {
    let tried = problems.joined(separator: "\n")
    if finder.named != nil {
      return MPIFailure(
        .libraryNotUsable,
        "the MPI library that \(MPIFinder.variable) names can't be used:\n\(tried)\nName one like libmpi.so.40 "
          + "(Open MPI), libmpi.so.12 or libmpich.so.12 (MPICH), libmpi_abi.so.1; by its path if need be.")
    }
    let wanted = launcher.map { " that \($0.name), which started this program, serves" } ?? ""
    return MPIFailure(
      .libraryNotFound,
      "no MPI library\(wanted) was found. Install Open MPI or MPICH, or set \(MPIFinder.variable) to the "
        + "library's path. Tried:\n\(tried)")
  }

  /// The launcher and the library know nothing of each other.
  static func misfit(
    _ launcher: MPILauncher, path: String, version: String, _ problem: String
  ) -> MPIFailure {
    let cure =
      switch launcher.kind {
      case .slurm: "Start the program with that library's mpiexec, or with srun --mpi=pmix or --mpi=pmi2."
      case .openMPI, .hydra, .other:
        "Start the program with that library's own mpiexec, or set \(MPIFinder.variable) to a library that the "
          + "launcher serves; without the variable one is looked for beside the launcher."
      }
    return MPIFailure(
      .launcherDoesNotFit,
      "\(launcher.name) started this program, and the MPI library is \(version) (\(path)): they don't fit. "
        + "\(problem) \(cure)")
  }
}

extension MPILauncher {
  /// Why the world that MPI has made is not the one that the launcher has started.
  func problem(world: Int, rank: Int) -> String? {
    if let size, size != world {
      return "The launcher has started \(size) ranks, and the library knows of \(world)."
    }
    if let expected = self.rank, expected >= world {
      return "The launcher has made this rank \(expected), and the library knows of \(world) in all."
    }
    return nil
  }
}

import ApusMessages
import Glibc

extension Doctor {
  /// Which MPI libraries and launchers there are, and whether each pair gets on.
  static func mpi() -> Finding.Section {
    var section = Finding.Section("MPI")
    let starters = MPIStarter.all()
    for starter in starters {
      let trial = MPITrial(starter)
      if let problem = trial.problem {
        section.add(
          starter.path, "\(starter.version): two ranks can't be started: \(problem)", .broken,
          cure: "install the library that belongs to it, or use another launcher: apus launch --mpi=PATH")
      } else {
        section.add(starter.path, "\(starter.version): two ranks talk through \(trial.library)")
      }
    }
    let libraries = addLibraries(&section, starters)
    if starters.isEmpty {
      section.add(
        "launchers", "none in PATH", libraries == 0 ? .fine : .lacking,
        cure: "for ranks on several machines install Open MPI (openmpi-bin) or MPICH (mpich)")
    }
    return section
  }

  /// Adds those that can be loaded, each once. Returns how many there are.
  private static func addLibraries(_ section: inout Finding.Section, _ starters: [MPIStarter]) -> Int {
    let named = getenv(MPIFinder.variable).map { String(cString: $0) } ?? ""
    var environment = ["PATH": getenv("PATH").map { String(cString: $0) } ?? ""]
    if !named.isEmpty { environment[MPIFinder.variable] = named }
    var seen: Set<String> = []
    for candidate in MPIFinder(environment: environment, launcher: nil, launcherFolder: nil).candidates() {
      do {
        let library = try MPILibraryProbe.of(candidate)
        guard seen.insert(MPIStarter.resolved(library.path)).inserted else { continue }
        let fitting = starters.filter { $0.serves(library.make) }
        if fitting.isEmpty {
          section.add(
            library.path, "\(library.version): no launcher of it is in PATH", .lacking,
            cure: "put its mpirun or mpiexec into PATH, or name it: apus launch --mpi=PATH")
        } else {
          section.add(library.path, "\(library.version): for \(fitting.map(\.path).joined(separator: ", "))")
        }
      } catch {
        guard !named.isEmpty else { continue }
        section.add(
          MPIFinder.variable, "\(error)", .broken, cure: "unset it, or name a library that is there")
      }
    }
    return seen.count
  }
}

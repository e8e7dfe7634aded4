import ApusMessages
import Glibc

/// A launcher of MPI programs on this machine: `mpirun`, `mpiexec`.
struct MPIStarter {
  let path: String
  let kind: MPILauncher.Kind
  /// As in "Open MPI 4.1.4".
  let version: String

  private static let openMPINames = ["mpirun.openmpi", "mpiexec.openmpi"]
  private static let mpichNames = ["mpiexec.mpich", "mpirun.mpich", "mpiexec.hydra"]
  private static let plainNames = ["mpirun", "mpiexec"]

  /// The launcher that is meant by a path, a name in PATH, `openmpi` or `mpich`; by nothing, the first of PATH.
  static func find(_ wanted: String) throws -> MPIStarter {
    switch wanted.lowercased() {
    case "":
      if let found = all(plainNames + openMPINames + mpichNames).first { return found }
    case "openmpi":
      if let found = all(openMPINames + plainNames).first(where: { $0.kind == .openMPI }) { return found }
    case "mpich":
      if let found = all(mpichNames + plainNames).first(where: { $0.kind == .hydra }) { return found }
    default:
      let path = try ProgramSearch.find(wanted)
      guard let found = MPIStarter(path) else {
        throw CommandProblem(
          "\(path) is no launcher that is known here: its --version names neither Open MPI nor Hydra (MPICH)")
      }
      return found
    }
    throw CommandProblem(
      "no launcher of \(wanted.isEmpty ? "an MPI library" : wanted) is in PATH. Install Open MPI (openmpi-bin) or "
        + "MPICH (mpich), or name the launcher: --mpi=/path/to/mpirun")
  }

  /// All that are in PATH, each once.
  static func all() -> [MPIStarter] { all(plainNames + openMPINames + mpichNames) }

  private static func all(_ names: [String]) -> [MPIStarter] {
    var seen: Set<String> = []
    return names.compactMap { name in
      guard let path = try? ProgramSearch.find(name), seen.insert(resolved(path)).inserted else { return nil }
      return MPIStarter(path)
    }
  }

  /// Nil if the program does not say that it is one.
  init?(_ path: String) {
    guard let said = try? CapturedProgram.run(path, ["--version"]).output else { return nil }
    func number(after mark: String) -> String? {
      guard let range = said.firstRange(of: mark) else { return nil }
      return said[range.upperBound...].split(whereSeparator: \.isWhitespace).first.map { String($0) }
    }
    self.path = path
    // "mpirun (Open MPI) 4.1.4", of which mpiexec says "(OpenRTE)"; "HYDRA build details: Version: 4.0.2".
    if let number = number(after: "(Open MPI)") ?? number(after: "(OpenRTE)") {
      (kind, version) = (.openMPI, "Open MPI \(number)")
    } else if said.hasPrefix("HYDRA"), let number = number(after: "Version:") {
      (kind, version) = (.hydra, "MPICH \(number)")
    } else {
      return nil
    }
  }

  /// The file behind links: two names of one launcher are one.
  static func resolved(_ path: String) -> String {
    guard let found = realpath(path, nil) else { return path }
    defer { free(found) }
    return String(cString: found)
  }

  var majorVersion: Int {
    version.split(separator: " ").last?.split(separator: ".").first.flatMap { Int($0) } ?? 0
  }
}

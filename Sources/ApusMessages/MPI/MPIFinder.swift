import CApus
import Glibc

/// Where an MPI library may be, the best place first.
package struct MPIFinder: Sendable {
  /// The variable that names the library: a path, or a name for the dynamic loader to look up.
  package static let variable = "APUS_MPI_LIBRARY"

  private let environment: [String: String]
  private let launcher: MPILauncher?
  /// The folder of the program that started us.
  private let launcherFolder: String?

  package init(environment: [String: String], launcher: MPILauncher?, launcherFolder: String?) {
    (self.environment, self.launcher) = (environment, launcher)
    self.launcherFolder = launcherFolder
  }

  // The version in the name, since that is the ABI; never plain libmpi.so, which in PyPI's packages is a text for
  // the linker. A library's own ABI before the standard one, which is the same library behind a translation.
  private static let openMPINames = ["libmpi.so.40"]
  private static let mpichNames = ["libmpi.so.12", "libmpich.so.12"]
  private static let standardNames = ["libmpi_abi.so.1", "libmpi_abi.so.0"]

  private var names: [String] {
    switch launcher?.kind {
    case .openMPI: Self.openMPINames + Self.standardNames
    case .hydra: Self.mpichNames + Self.standardNames
    case .slurm, .other, nil: Self.openMPINames + Self.mpichNames + Self.standardNames
    }
  }

  /// The library that the user has named.
  package var named: String? {
    environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Files that are there, and names for the loader.
  package func candidates() -> [String] {
    if let named { return [named] }
    var found: [String] = []
    // Beside what started us it is the right one. A launcher in PATH is what the user works with, and comes before
    // what the system has.
    for folder in ([launcherFolder].compactMap { $0 } + launchersInPath()) {
      for library in ["../lib", "../lib64", "../lib/x86_64-linux-gnu", "../lib/aarch64-linux-gnu"] {
        for name in names {
          guard let path = Self.realPath("\(folder)/\(library)/\(name)") else { continue }
          if !found.contains(path) { found.append(path) }
        }
      }
    }
    return found + names
  }

  private func launchersInPath() -> [String] {
    let folders = (environment["PATH"] ?? "").split(separator: ":")
    return ["mpiexec", "mpirun"].compactMap { name in
      for folder in folders where access("\(folder)/\(name)", X_OK) == 0 {
        return Self.realPath("\(folder)/\(name)").map { MPIAncestors.split($0).folder }
      }
      return nil
    }
  }

  private static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

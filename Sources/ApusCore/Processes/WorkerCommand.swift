import CApus
import Glibc

/// How a worker, or a rank, of this very program is started.
package enum WorkerCommand {
  /// What the new run of the program is, in place of its `main`.
  package enum Role: Sendable {
    /// A worker of a pool.
    case worker
    /// A rank of `withRanks`.
    case rank

    fileprivate var argument: String { self == .worker ? APUS_WORKER_ARGUMENT : APUS_RANK_ARGUMENT }
  }

  /// Why this program can't be run again as a worker.
  package struct Problem: Error, CustomStringConvertible {
    package let description: String
  }

  /// `share`: how many processors each worker may count on, for pools that it makes itself.
  package static func ofThisProgram(as role: Role = .worker, share: Int) throws -> SpawnRequest {
    guard apus_entry_is_installed() else {
      throw Problem(
        description: """
          this program was not started in a way that lets it be run again as a worker: it loaded Apus as a \
          plug-in, or is linked fully statically. Use a Swift executable that links Apus.
          """)
    }
    guard access("/proc/self/exe", F_OK) == 0 else {
      throw Problem(
        description: """
          /proc is not mounted, and by /proc/self/exe this program is found to run it again as a worker. Mount it \
          (mount -t proc proc /proc), or give the sandbox or chroot one.
          """)
    }
    guard apus_image_is_executable() else {
      throw Problem(
        description: """
          /proc/self/exe is not this program, so running it again would not make a worker: the program was \
          started through the loader (ld.so ./program) or under valgrind. Start it directly.
          """)
    }
    let replaced = [APUS_WORKER_VARIABLE, Processors.environmentName]
    var environment = SpawnRequest.ownEnvironment.filter { entry in
      !replaced.contains { entry.hasPrefix("\($0)=") }
    }
    environment += ["\(APUS_WORKER_VARIABLE)=1", "\(Processors.environmentName)=\(share)"]
    if !environment.contains(where: { $0.hasPrefix("SWIFT_BACKTRACE=") }) {
      // A backtrace that fits an error message; the message itself would be lost behind a longer one.
      environment.append("SWIFT_BACKTRACE=interactive=no,color=no,registers=none,images=none,limit=16,top=4")
    }
    // Not the path it was started by: the program may have been rebuilt or deleted since.
    var request = SpawnRequest(
      path: "/proc/self/exe", arguments: [programName, role.argument], environment: environment)
    request.folder = WorkingFolder()
    return request
  }

  private static var programName: String { CommandLine.arguments.first ?? "apus" }
}

import ApusSystem
import ApusMessages
import Glibc

/// What an MPI library says of itself, asked in a process of its own: two in one process don't get on.
struct MPILibraryProbe {
  let path: String
  let version: String
  let make: MPILibrary.Make

  /// The library that the variable names, or the first that is found. Throws its problem, in words.
  static func ofVariable() throws -> MPILibraryProbe { try inChild(SpawnRequest.ownEnvironment) }

  /// The library with that path, or that name for the loader.
  static func of(_ name: String) throws -> MPILibraryProbe {
    let variable = MPIFinder.variable + "="
    return try inChild(
      SpawnRequest.ownEnvironment.filter { !$0.hasPrefix(variable) } + [ByteString(variable + name)])
  }

  private static func inChild(_ environment: [ByteString]) throws -> MPILibraryProbe {
    let run = try CapturedProgram.run(
      "/proc/self/exe", ["doctor", "--mpi-library"], environment: environment)
    guard run.status != nil else { throw CommandProblem("it took more than ten seconds to load") }
    let lines = run.output.split(separator: "\n")
    let fields = lines.last?.split(separator: "\t").map { String($0) } ?? []
    guard run.status == .exited(0), fields.count == 4, fields[0] == "mpi" else {
      throw CommandProblem(lines.map { "\($0.drop { $0 == " " })" }.joined(separator: "; "))
    }
    let makes: [String: MPILibrary.Make] = ["openMPI": .openMPI, "mpich": .mpich]
    return MPILibraryProbe(path: fields[1], version: fields[2], make: makes[fields[3]] ?? .other)
  }

  /// The child's part.
  static func report() -> Never {
    var status: Int32 = 0
    do {
      let found = try MPILibrary.look()
      print("mpi\t\(found.path)\t\(found.version)\t\(found.make)")
    } catch {
      print("\(error)")
      status = 1
    }
    fflush(nil)
    // Nothing of the library's is run at the end: it was never started.
    _exit(status)
  }
}

import CApus
import Glibc

/// How this very program is run again as something else: a worker, say.
package enum ProgramCommand {
  /// Why this program can't be run again.
  package struct Problem: Error, CustomStringConvertible {
    package let description: String
  }

  /// - Parameters:
  ///   - role: The argument by which the new run knows what it is, in place of its `main`: see `apus_entry.h`.
  ///   - share: How many processors the new run may count on, for pools that it makes itself.
  ///   - backtraces: What SWIFT_BACKTRACE is to be; nil: what it is here, or what fits an error message.
  package static func ofThisProgram(
    as role: String, share: Int, backtraces: String? = nil
  ) throws -> SpawnRequest {
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
    if backtraces != nil { environment.removeAll { $0.hasPrefix(backtraceVariable) } }
    if !environment.contains(where: { $0.hasPrefix(backtraceVariable) }) {
      // The message itself would be lost behind a longer one.
      environment.append(ByteString(backtraceVariable + (backtraces ?? backtraceStyle + ",limit=16,top=4")))
    }
    // Not the path it was started by: the program may have been rebuilt or deleted since.
    let arguments = programArguments
    var request = SpawnRequest(
      path: ByteString("/proc/self/exe"),
      arguments: [arguments.first ?? "apus", ByteString(role)] + arguments.dropFirst(),
      environment: environment)
    request.folder = WorkingFolder()
    return request
  }

  private static let backtraceVariable = "SWIFT_BACKTRACE="

  /// For an error message, however long the backtrace is.
  package static let backtraceStyle = "interactive=no,color=no,registers=none,images=none,threads=crashed"

  /// As they came: `CommandLine.arguments` may have been changed, and holds no bytes that are not UTF-8. The new run sees
  /// them as its own, since what it runs is written for the program.
  package static var programArguments: [ByteString] {
    var arguments: [ByteString] = []
    guard var next = apus_program_arguments() else { return CommandLine.arguments.map { ByteString($0) } }
    while let argument = next.pointee {
      arguments.append(ByteString(cString: argument))
      next += 1
    }
    return arguments
  }
}

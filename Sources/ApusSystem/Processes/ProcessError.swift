import Glibc

/// A program could not be started, or a descriptor or thread that it needs could not be made.
package struct ProcessError: Error, Sendable, Hashable, CustomStringConvertible {
  package struct Code: Sendable, Hashable {
    private let name: String

    /// No file descriptor is left, in this process or in the system.
    package static let noDescriptors = Code(name: "noDescriptors")
    /// No process or thread may be added.
    package static let noProcesses = Code(name: "noProcesses")
    package static let noMemory = Code(name: "noMemory")
    /// The program, the interpreter that its first line names, or the working directory does not exist.
    package static let notFound = Code(name: "notFound")
    /// The program exists and cannot be run: not executable, a folder, no known format.
    package static let notExecutable = Code(name: "notExecutable")
    /// The system has it, and does not let this process.
    package static let refused = Code(name: "refused")
    package static let other = Code(name: "other")
  }

  package let code: Code
  package let errno: Int32
  /// What was being done, as in "starting /bin/sh".
  package let doing: String

  /// - Parameter isOfProgram: Whether the program, or its working directory, is to blame: the same errors of other calls
  ///   mean other things.
  package init(errno: Int32, doing: String, isOfProgram: Bool = false) {
    self.code = isOfProgram ? Code(ofProgram: errno) : Code(errno)
    self.errno = errno
    self.doing = doing
  }

  package var description: String {
    let reason = String(cString: strerror(errno))
    return "\(doing): \(reason) (errno \(errno))" + (code.advice.map { ". " + $0 } ?? "")
  }
}

extension ProcessError.Code {
  init(_ errno: Int32) {
    self =
      switch errno {
      case EMFILE, ENFILE: .noDescriptors
      case EAGAIN: .noProcesses
      case ENOMEM: .noMemory
      case EPERM, EACCES: .refused
      default: .other
      }
  }

  init(ofProgram errno: Int32) {
    self =
      switch errno {
      case ENOENT, ENOTDIR: .notFound
      case EACCES, ENOEXEC, EPERM, EISDIR, ELIBBAD, ETXTBSY: .notExecutable
      default: Self(errno)
      }
  }

  var advice: String? {
    switch self {
    case .noDescriptors:
      "Raise the limit on open files (ulimit -n), or run fewer processes at a time."
    case .noProcesses:
      "Raise the limit on processes (ulimit -u, or pids.max of the control group), or run fewer at a time."
    case .noMemory:
      "Free memory, raise the limit (of the control group, or ulimit -v), or run fewer processes at a time."
    case .refused:
      "A sandbox (seccomp), a security module or the container's settings forbid it: allow it there."
    case .notFound:
      "Check the path, the interpreter that a script's first line names, and the working directory."
    case .notExecutable:
      "Check that the file may be executed (chmod +x) and is a program for this machine or begins with #!."
    default: nil
    }
  }
}

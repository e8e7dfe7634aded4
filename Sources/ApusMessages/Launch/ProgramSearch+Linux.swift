import ApusSystem
import Glibc

/// Finds a program as a shell does.
package enum ProgramSearch {
  /// The path by which `program` is to be started: as it is if it holds a slash, else from a folder of PATH.
  package static func find(_ program: String, path: String? = nil) throws(LaunchError) -> String {
    try find(ByteString(program), path: path.map { ByteString($0) }).description
  }

  /// The same for a name that need not be UTF-8.
  package static func find(_ program: ByteString, path: ByteString? = nil) throws(LaunchError) -> ByteString {
    if program.bytes.contains(UInt8(ascii: "/")) {
      try check(program)
      return program
    }
    let path = path ?? getenv("PATH").map { ByteString(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
    var forbidden: ByteString?
    let folders = path.bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    for folder in folders where !program.bytes.isEmpty {
      // An empty entry stands for the working directory.
      let candidate = (folder.isEmpty ? "." : ByteString(folder)) + "/" + program
      guard isFile(candidate) else { continue }
      if candidate.withCString({ access($0, X_OK) }) == 0 { return candidate }
      forbidden = forbidden ?? candidate
    }
    if let forbidden { throw problem(EACCES, "\(forbidden) may not be executed (chmod +x)") }
    var text = "no program named \(program) in PATH (\(path))"
    if isFile("./" + program) { text += ". For the one in this folder, write ./\(program)" }
    throw problem(ENOENT, text)
  }

  private static func check(_ path: ByteString) throws(LaunchError) {
    var information = stat()
    if path.withCString({ stat($0, &information) }) != 0 {
      let error = errno
      throw problem(error, "\(path): \(String(cString: strerror(error)))")
    }
    if information.st_mode & S_IFMT == S_IFDIR {
      throw problem(EISDIR, "\(path) is a folder, no program")
    }
    if path.withCString({ access($0, X_OK) }) != 0 {
      throw problem(EACCES, "\(path) may not be executed (chmod +x)")
    }
  }

  private static func problem(_ errno: Int32, _ text: String) -> LaunchError {
    LaunchError(ProcessError(errno: errno, doing: "looking for a program", isOfProgram: true), text)
  }

  private static func isFile(_ path: ByteString) -> Bool {
    var information = stat()
    return path.withCString { stat($0, &information) } == 0 && information.st_mode & S_IFMT == S_IFREG
  }
}

import ApusSystem
import Glibc

/// The programs that this one descends from: among them is the launcher, if one started us on this machine.
enum MPIAncestors {
  private static let launchers: Set<String> = [
    "mpirun", "mpiexec", "orterun", "orted", "prterun", "prted", "prte", "hydra_pmi_proxy", "mpiexec.hydra",
    "mpiexec.gforker",
  ]

  /// The folder of the nearest ancestor that is a launcher of MPI programs.
  static func launcherFolder() -> String? {
    var process = getppid()
    // A job's shell scripts may lie between; no limit would be a loop if /proc lied.
    for _ in 0..<32 where process > 1 {
      if let path = target(of: "/proc/\(process)/exe") {
        let (folder, name) = split(path)
        if launchers.contains(name) { return folder }
      }
      guard let parent = parent(of: process) else { return nil }
      process = parent
    }
    return nil
  }

  /// "/usr/bin/mpirun" as "/usr/bin" and "mpirun".
  static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (".", path) }
    let folder = slash == path.utf8.startIndex ? "/" : String(path[..<slash])
    return (folder, String(path[path.utf8.index(after: slash)...]))
  }

  private static func target(of link: String) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4097) { buffer in
      let count = readlink(link, buffer.baseAddress!, buffer.count - 1)
      guard count > 0 else { return nil }
      buffer[count] = 0
      return String(cString: buffer.baseAddress!)
    }
  }

  private static func parent(of process: Int32) -> Int32? {
    // "17 (a name with ) in it) S 12 …"
    guard let text = readSmallFile("/proc/\(process)/stat"),
      let end = text.utf8.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let fields = text[end...].split(separator: " ")
    return fields.count > 2 ? Int32(fields[2]) : nil
  }
}

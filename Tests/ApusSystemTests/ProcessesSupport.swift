import ApusSystem
import Glibc
import TestSupport

/// Swift Testing has a type of this name too; a declaration in this module comes first.
typealias ExitStatus = ApusSystem.ExitStatus

/// A request for a shell script.
func shell(_ script: String, _ descriptors: [(source: Int32, target: Int32)] = []) -> SpawnRequest {
  SpawnRequest(path: "/bin/sh", arguments: ["sh", "-c", script], descriptors: descriptors)
}

/// Waits, for at most ten seconds, until a process is gone, or a zombie that nobody has reaped yet.
func isGone(_ pid: Int32) -> Bool {
  for _ in 0..<2000 {
    if hasEnded(pid) { return true }
    usleep(5000)
  }
  return false
}

/// The numbers of this process's open descriptors.
func openDescriptors() -> [Int32] {
  (0..<1024).filter { fcntl($0, F_GETFD) >= 0 }
}

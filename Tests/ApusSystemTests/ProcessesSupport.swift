import ApusSystem
import Glibc

/// Swift Testing has a type of this name too; a declaration in this module comes first.
typealias ExitStatus = ApusSystem.ExitStatus

/// Reads a descriptor to its end, as text.
func readAll(_ descriptor: OwnedDescriptor) -> String {
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = read(descriptor.number, &chunk, chunk.count)
    if count < 0 && errno == EINTR { continue }
    if count <= 0 { break }
    bytes += chunk[..<count]
  }
  return String(decoding: bytes, as: UTF8.self)
}

/// A request for a shell script.
func shell(_ script: String, _ descriptors: [(source: Int32, target: Int32)] = []) -> SpawnRequest {
  SpawnRequest(path: "/bin/sh", arguments: ["sh", "-c", script], descriptors: descriptors)
}

/// Runs a program to its end with its standard output in a pipe.
func output(of request: SpawnRequest) throws -> (text: String, status: ExitStatus) {
  let (reading, writing) = try OwnedDescriptor.pipe()
  var request = request
  request.descriptors.append((writing.number, 1))
  let child = try Spawner.spawn(request)
  writing.close()
  return (readAll(reading), child.wait())
}

/// Waits, for at most ten seconds, until a process is gone, or a zombie that nobody has reaped yet.
func isGone(_ pid: Int32) -> Bool {
  for _ in 0..<2000 {
    if kill(pid, 0) != 0 && errno == ESRCH { return true }
    if (try? output(of: shell("cat /proc/\(pid)/stat 2>/dev/null")).text)?.contains(") Z ") == true {
      return true
    }
    usleep(5000)
  }
  return false
}

/// The numbers of this process's open descriptors.
func openDescriptors() -> [Int32] {
  (0..<1024).filter { fcntl($0, F_GETFD) >= 0 }
}

import ApusSystem
import ApusMessages
import Glibc

/// A program that has ranks of its own.
enum OwnRanks {
  static func play(_ name: String) throws {
    switch name {
    case "print":
      let results = try withRanks(2) { world -> Int in
        for line in 0..<400 { print("\(world.rank) \(line) \(String(repeating: "x", count: 200))") }
        return readLine() == nil ? 0 : 1
      }
      print("input:", try results.map { "\(try $0.get())" }.joined(separator: " "))
    case "wait": _ = try withRanks(2) { _ in waitForEver() }
    case "stop": _ = try withRanks(2) { _ in while true { raise(SIGSTOP) } }
    case "nested": _ = try withRanks(2) { _ in _ = try withRanks(1) { _ in waitForEver() } }
    case "descendants":
      _ = try withRanks(2) { _ in
        _ = try Spawner.spawn(
          SpawnRequest(
            path: "/bin/sleep", arguments: ["sleep", "1000"], newProcessGroup: false, diesWithParent: false))
        waitForEver()
      }
    case "surrounded": try Surrounded.play()
    case "ignored SIGCHLD":
      signal(SIGCHLD, SIG_IGN)
      try Reaping.play()
    case "waitpid":
      Reaping.reapEverything()
      try Reaping.play()
    case "fork": try Reaping.fork()
    case "closed": try Reaping.closed()
    default: exit(2)
    }
  }
}

// A program for tests of the launcher: `RankScenarios NAME [ARGUMENT…]` plays one rank.
import ApusSystem
import ApusMessages
import Glibc

/// Prints to standard error, with no buffer in between.
func printError(_ text: String) {
  let bytes = Array((text + "\n").utf8)
  _ = write(2, bytes, bytes.count)
}

/// Joins; a program that can't says why and ends.
func join() -> JoinedRank {
  do {
    guard let rank = try JoinedRank.join() else {
      printError("no rank")
      exit(4)
    }
    return rank
  } catch {
    printError("\(error)")
    exit(5)
  }
}

func waitForEver() -> Never {
  while true { pause() }
}

@main
enum RankScenarios {
  static let all: [String: @Sendable ([String]) throws -> Void] = [
    "join": { _ in
      let rank = join()
      print("rank \(rank.rank) of \(rank.size)")
      rank.finalized()
    },
    // Joins if it can.
    "try": { _ in
      do {
        let rank = try JoinedRank.join()
        print(rank.map { "rank \($0.rank)" } ?? "alone")
        rank?.finalized()
      } catch { print("error: \(error)") }
    },
    "twice": { _ in
      let rank = join()
      print(rank === join(), getenv(RankCredential.variable) == nil)
      rank.finalized()
      rank.finalized()
    },
    "meet": { _ in meet() },
    // `code`: one rank exits, the others would wait for ever.
    "exit": { arguments in
      let rank = join()
      if rank.rank == Int(arguments[0]) {
        printError("I fail")
        exit(Int32(arguments[1])!)
      }
      waitForEver()
    },
    "exit finalized": { arguments in
      let rank = join()
      rank.finalized()
      exit(Int32(arguments[0])!)
    },
    "signal": { arguments in
      // Not Swift's handler, which writes a backtrace and goes on after a signal that was only raised.
      signal(Int32(arguments[1])!, SIG_DFL)
      if join().rank == Int(arguments[0]) { raise(Int32(arguments[1])!) }
      waitForEver()
    },
    "trap": { arguments in
      if join().rank == Int(arguments[0]) { fatalError("this rank had a mishap") }
      waitForEver()
    },
    // One is stopped, one fails.
    "stop": { _ in
      switch join().rank {
      case 0: raise(SIGSTOP)
      case 1:
        usleep(100_000)
        exit(3)
      default: waitForEver()
      }
    },
    // Joins, and then becomes another program.
    "replaced": { _ in
      if join().rank == 1 { replace("/bin/sleep", ["sleep", "1000"]) }
      waitForEver()
    },
    "never": { arguments in
      if getenv(RankCredential.variable).map({ String(cString: $0) })!.contains(":\(arguments[0]):") {
        exit(0)
      }
      _ = join()
      waitForEver()
    },
    "stubborn": { _ in
      for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { signal(number, SIG_IGN) }
      print("ready \(join().rank)")
      waitForEver()
    },
    "wait": { _ in
      print("ready \(join().rank)")
      waitForEver()
    },
    "stopped": { _ in
      print("ready \(join().rank)")
      raise(SIGSTOP)
      waitForEver()
    },
    "fail first": { _ in
      if join().rank == 1 { exit(7) }
      // Long enough for rank 1 to be first on a busy machine, and shorter than the grace.
      usleep(1_000_000)
      exit(8)
    },
    "child": { _ in
      let rank = join()
      let child = try Spawner.spawn(
        SpawnRequest(path: "/proc/self/exe", arguments: ["RankScenarios", "try"], newProcessGroup: false))
      _ = child.wait()
      rank.finalized()
    },
    "lines": { arguments in
      let rank = join()
      for line in 0..<Int(arguments[0])! {
        print("\(rank.rank) \(line) \(String(repeating: "x", count: 300))")
      }
      rank.finalized()
    },
    "nonsense": { _ in nonsense() },
    "surrounded": { _ in try Surrounded.rank(try Communicator.world()) },
    "with ranks": { arguments in try OwnRanks.play(arguments[0]) },
  ]

  static func main() throws {
    guard CommandLine.arguments.count > 1, let scenario = all[CommandLine.arguments[1]] else {
      print("scenarios:", all.keys.sorted().joined(separator: ", "))
      exit(2)
    }
    try scenario(Array(CommandLine.arguments.dropFirst(2)))
  }

  private static func replace(_ path: String, _ arguments: [String]) {
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    pointers.append(nil)
    execv(path, pointers)
  }
}

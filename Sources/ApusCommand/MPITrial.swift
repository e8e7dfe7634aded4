import ApusMessages
import Glibc

/// A launcher that is tried: two ranks, as `apus launch --mpi` starts them, add up their numbers.
struct MPITrial {
  /// What went wrong, or nil.
  let problem: String?
  /// The library that the ranks talked through.
  let library: String

  private static let mark = "apus trial: "

  /// Takes up to half a minute, if the launcher hangs.
  init(_ starter: MPIStarter) {
    do {
      let run = try CapturedProgram.run(
        "/proc/self/exe",
        ["launch", "--mpi=\(starter.path)", "-n", "2", "--", Self.ownPath, "doctor", "--mpi-rank"],
        seconds: 30)
      let lines = run.output.split(separator: "\n").map { String($0) }
      library = lines.first { $0.hasPrefix(Self.mark) }.map { String($0.dropFirst(Self.mark.count)) } ?? ""
      if library.isEmpty || run.status != .exited(0) {
        let said =
          lines.first { $0.contains("rror") || $0.contains("don't fit") } ?? lines.last
          ?? "it printed nothing"
        problem = run.status.map { "it ended with \($0): \(said)" } ?? "it was not over after 30 seconds"
      } else {
        problem = nil
      }
    } catch {
      (problem, library) = ("\(error)", "")
    }
  }

  static func playRank() throws {
    let world = try Communicator.world()
    let sum = try world.allReduce(world.rank + 1, .sum)
    guard world.size == 2, sum == 3 else {
      throw CommandProblem("error: a world of \(world.size) ranks, and not of 2")
    }
    if world.rank == 0 {
      let library = try MPILibrary.start()
      print("\(mark)\(library.version), \(library.path)")
    }
  }

  private static var ownPath: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4097) { buffer in
      let count = readlink("/proc/self/exe", buffer.baseAddress!, buffer.count - 1)
      buffer[max(0, count)] = 0
      return String(cString: buffer.baseAddress!)
    }
  }
}

// A rank that tries everything of the MPI table, whatever library it finds, and says what does not hold.
//
//   MPIProbe check      everything; rank 0 prints one line if all of it holds
//   MPIProbe library    which library was found
//   MPIProbe latency    one way for 8 bytes between two ranks, in nanoseconds
//   MPIProbe calls      the same with itself, which takes no second processor
//   MPIProbe communicator   what Apus's own communicator has over MPI alone
//   MPIProbe threads    a library that was started for one thread alone
//   MPIProbe after      calls after the end of MPI
//   MPIProbe inside     comes to its end while a thread is in a call
//   MPIProbe large      a message of more bytes than an int counts (needs 5 GB)
import ApusMessages
import Glibc

@main
struct MPIProbe {
  static func main() {
    do {
      switch CommandLine.arguments.dropFirst().first {
      case "communicator": return try checkCommunicator()
      case "threads": return try checkThreadLevel()
      case "after": return try callAfterTheEnd()
      case "inside": return try endInsideACall()
      default: break
      }
      let library = try MPILibrary.start()
      let world = library.world
      var checks = Checks(world: world)
      switch CommandLine.arguments.dropFirst().first ?? "check" {
      case "check":
        try checkEnvironment(library, &checks)
        try checkCommunicators(world, &checks)
        try checkMessages(world, &checks)
        try checkRequests(world, &checks)
        try checkCollectives(world, &checks)
        try checkErrors(world, &checks)
        try checkLimits(world, &checks)
        try checks.finish(library)
      case "library":
        if world.rank == 0 { say("\(library.path) | \(library.version) | \(library.abi)") }
      case "latency": try measureLatency(world)
      case "calls": try measureCalls(world)
      case "large": try sendMoreThanAnIntCounts(world, &checks)
      case let name:
        complain("no such probe: \(name)")
        exit(2)
      }
      try library.finish()
      do {
        _ = try MPILibrary.start()
        complain("MPI was started a second time")
        exit(1)
      } catch { if error.code != .finished { throw error } }
    } catch {
      complain("\(error)")
      exit(1)
    }
  }
}

/// Counts what holds, and tells what does not.
struct Checks {
  let world: MPICommunicator
  var count = 0
  var failures: Int32 = 0

  init(world: MPICommunicator) { self.world = world }

  mutating func expect(_ holds: Bool, _ what: String) {
    count += 1
    if holds { return }
    failures += 1
    complain("rank \(world.rank): \(what) does not hold")
  }

  mutating func expect<T: Equatable>(_ value: T, _ expected: T, _ what: String) {
    expect(value == expected, "\(what): \(value) == \(expected)")
  }

  /// What should fail, and how.
  mutating func expect(_ code: MPIFailure.Code, _ what: String, _ body: () throws(MPIFailure) -> Void) {
    do {
      try body()
      expect(false, "\(what) fails")
    } catch {
      expect(error.code == code && !error.message.isEmpty, "\(what): \(error.code) == \(code) (\(error))")
    }
  }

  mutating func finish(_ library: MPILibrary) throws(MPIFailure) {
    let all = try world.sum([failures])
    if all != [0] { exit(1) }
    if world.rank == 0 {
      say("ok: \(world.size) ranks, \(library.version), \(library.abi), \(count) checks")
    }
  }
}

func say(_ line: String) {
  print(line)
  fflush(nil)
}

func complain(_ line: String) {
  let text = line + "\n"
  _ = text.withCString { write(2, $0, strlen($0)) }
}

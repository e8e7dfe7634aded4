// The program that Scripts/stress runs as ranks: random programs, whose outcome every rank knows before.
//
//     APUS_SEED=7 apus launch -n 3 MessageStress seconds=5
//     APUS_SEED=7 apus launch -n 3 MessageStress race=given-up rounds=100
//
// What does not hold is printed for the script to judge.
import ApusMessages
import ApusSystem
import Apus
import Glibc
import StressSupport

@main
struct MessageStress {
  private static let stepsOfProgram = 30

  static func main() async {
    tell("PID \(getpid())")
    var hasJoined = false
    do {
      let world = try Communicator.world(
        threads: Settings.text("threads") == "multiple" ? .multiple : .serialized)
      hasJoined = true
      tell("JOINED \(world.rank) \(getpid())")
      if Settings.number("victim", default: -1) == world.rank { try Death.arm() }
      let race = Settings.text("race")
      if race.isEmpty { try await play(world) } else { try play(world, race) }
    } catch let error as MessageError where error.code == .rankFailed {
      tell("TOLD \(error)")
      exit(3)
    } catch {
      // Where a rank dies, the others may never come together.
      tell("\(hasJoined ? "VIOLATION" : "ALONE") \(error)")
      exit(1)
    }
  }

  /// Programs one after the other, until rank 0 finds that it is time to stop.
  private static func play(_ world: Communicator) async throws {
    let watch = try Watch(rank: world.rank)
    let seconds = Settings.number("seconds", default: .max)
    let awaits = Settings.text("await") == "yes"
    let start = ContinuousClock.now
    var number = 0
    while try goesOn(world, start.duration(to: .now) < .seconds(seconds)) {
      let program = Program(
        seed: mix(Settings.seed, UInt64(number)), size: world.size, awaits: awaits,
        from: number * stepsOfProgram)
      var player = Player(world, program)
      try await player.play(steps: stepsOfProgram, watch)
      number += 1
    }
    if world.rank == 0 {
      tell("FIGURE steps=\(number * stepsOfProgram)")
      tell("END")
    }
  }

  private static func play(_ world: Communicator, _ race: String) throws {
    var races = Races(world, rounds: Settings.number("rounds", default: 100), try Watch(rank: world.rank))
    try races.play(race)
    if world.rank == 0 { tell("END") }
  }

  private static func goesOn(_ world: Communicator, _ decision: Bool) throws -> Bool {
    try world.broadcast(decision)
  }
}

/// The end of this rank, some time from now.
enum Death {
  static func arm() throws {
    let (way, moment) = (Settings.text("way"), Settings.number("after"))
    try NativeThread.start(name: "death") {
      usleep(UInt32(moment))
      switch way {
      case "exit": exit(5)
      case "leave": _exit(0)
      case "trap": fatalError("meant to")
      // Not `raise`: this thread takes no signal that is not forced on it.
      default: UnsafeMutablePointer<Int>(bitPattern: 64)!.pointee = 1
      }
    }
  }
}

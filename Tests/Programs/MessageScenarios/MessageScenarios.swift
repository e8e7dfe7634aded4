// A program for tests: `MessageScenarios NAME...` plays scenarios on each rank, one after the other. What does not hold
// ends the rank.
import Apus
@preconcurrency import Glibc  // for `stdout`, a variable to C

@main
enum MessageScenarios {
  static let all: [String: @Sendable (Communicator) async throws -> Void] = [
    "point to point": { try PointToPointScenarios.play($0) },
    "copied together": { try PointToPointScenarios.copiedTogether($0) },
    "requests": { try RequestScenarios.play($0) },
    "await": { try await AwaitScenarios.play($0) },
    "collectives": { try CollectiveScenarios.play($0) },
    "await collectives": { try await AwaitCollectiveScenarios.play($0) },
    "started before": { try AwaitCollectiveScenarios.startedBefore($0) },
    "signals of operators": { try await AwaitCollectiveScenarios.signals($0) },
    "out of turn": { try await AwaitCollectiveScenarios.outOfTurn($0) },
    "split": { try SplitScenarios.play($0) },
    "mistakes": { try MistakeScenarios.play($0) },
    "different operators": { try MistakeScenarios.differentOperators($0) },
    "different collectives": { try MistakeScenarios.differentCollectives($0) },
    "killed": { try DeathScenarios.killed($0) },
    "sender killed while copying": { try DeathScenarios.killedWhileCopying($0, sends: true) },
    "receiver killed while copying": { try DeathScenarios.killedWhileCopying($0, sends: false) },
    "sender ends while copying": { try DeathScenarios.killedWhileCopying($0, sends: true, quietly: true) },
    "receiver ends while copying": { try DeathScenarios.killedWhileCopying($0, sends: false, quietly: true) },
    "killed while polled": { try DeathScenarios.killedWhilePolled($0) },
    "killed while polled later": { try await DeathScenarios.killedWhilePolledLater($0) },
    "ended": { try DeathScenarios.ended($0) },
    "receiver ended": { try await DeathScenarios.receiverEnded($0) },
    "things left behind": { try DeathScenarios.leavesThingsBehind($0) },
    "polls": { try DeathScenarios.polls($0) },
    "self": { try DeathScenarios.waitsForItself($0) },
    "abort": { try DeathScenarios.abort($0) },
    "pool": { try await RankPoolScenarios.calls($0) },
    "pool of processes": { try await RankPoolScenarios.calls($0, workers: 1) },
    "pool prepared": { try await RankPoolScenarios.prepared($0) },
    "pool spread": { try await RankPoolScenarios.spread($0) },
    "pool crash": { try await RankPoolScenarios.crash($0) },
    "pool late": { try await RankPoolScenarios.late($0) },
    "pool held": { try await RankPoolScenarios.held($0) },
    "pool cancelled": { try await RankPoolScenarios.cancelled($0) },
    "pool nested": { try await RankPoolScenarios.nested($0) },
    "pool invalid": { try await RankPoolScenarios.invalid($0) },
    "pool once": { try await RankPoolRaces.once($0) },
    "pool beside messages": { try await RankPoolRaces.beside($0) },
    "pool throwing": { try await RankPoolScenarios.throwing($0) },
    "pool rank killed": { try await RankPoolScenarios.dies($0, bySignal: true) },
    "pool rank exits": { try await RankPoolScenarios.dies($0, bySignal: false) },
    "pool waits": { try await RankPoolScenarios.waits($0) },
    "pool times": { try await RankPoolScenarios.times($0) },
    "wait for ever": { _ in while true { pause() } },
    "blocked": { try DeathScenarios.blocked($0) },
    "failing collectives": { try FailingCollectiveScenarios.play($0) },
    "given up": { try GivenUpScenarios.play($0) },
    "given up, and waiting": { try GivenUpScenarios.elsewhere($0) },
    "given up at the end": { try GivenUpScenarios.atTheEnd($0) },
    "many started receives": { try RequestScenarios.manyStartedReceives($0) },
    "turns": { try FairnessScenarios.turns($0) },
    "members end": { try FairnessScenarios.membersEnd($0) },
    "fork": { try FairnessScenarios.fork($0) },
    "threads wake one another": { try ThreadScenarios.wakeOneAnother($0) },
    "tell at once": { try await ThreadScenarios.tellAtOnce($0) },
    "splits at the same time": { try ThreadScenarios.splits($0) },
    "many long messages": { try RequestScenarios.manyLongMessages($0) },
    "deadlock in a ring": { try DeadlockScenarios.ring($0) },
    "deadlock of sends": { try DeadlockScenarios.sends($0) },
    "deadlock in a collective": { try DeadlockScenarios.collective($0) },
    "deadlock of threads": { try DeadlockScenarios.threads($0) },
    "awaited deadlock in a ring": { try await AwaitedDeadlockScenarios.ring($0) },
    "awaited deadlock of sends": { try await AwaitedDeadlockScenarios.sends($0) },
    "awaited deadlock in a collective": { try await AwaitedDeadlockScenarios.collective($0) },
    "awaited sleep": { try await AwaitedDeadlockScenarios.later($0, AwaitedDeadlockScenarios.sleep) },
    "awaited short sleep": {
      try await AwaitedDeadlockScenarios.later($0, AwaitedDeadlockScenarios.shortSleeps)
    },
    "awaited descriptor": {
      try await AwaitedDeadlockScenarios.later($0, AwaitedDeadlockScenarios.descriptor)
    },
    "awaited thread": { try await AwaitedDeadlockScenarios.later($0, AwaitedDeadlockScenarios.otherThread) },
    "awaited work": { try await AwaitedDeadlockScenarios.later($0, AwaitedDeadlockScenarios.work) },
    "patience": { try DeadlockScenarios.patience($0) },
    "another thread": { try DeadlockScenarios.anotherThread($0) },
    "a task on its way": { try await DeadlockScenarios.task($0) },
  ]

  static func main() async throws {
    setvbuf(stdout, nil, _IOLBF, 0)
    // A number is how many rounds one of them has.
    let names = CommandLine.arguments.dropFirst().filter { Int($0) == nil }
    let scenarios = names.compactMap { all[$0] }
    guard !names.isEmpty, scenarios.count == names.count else {
      print("scenarios:", all.keys.sorted().joined(separator: ", "))
      exit(2)
    }
    let world = try Communicator.world()
    for (name, scenario) in zip(names, scenarios) {
      try await scenario(world)
      if names.count > 1 { say("rank \(world.rank) has played \(name)") }
    }
    say("rank \(world.rank) is through")
  }

  /// In one piece: launchers mix what ranks write, and `print` may write its first letter by itself.
  private static func say(_ text: String) {
    fflush(stdout)
    let line = text + "\n"
    write(STDOUT_FILENO, line, line.utf8.count)
  }
}

/// Ends the rank with a message, if something does not hold.
func demand(_ holds: Bool, _ message: @autoclosure () -> String = "", line: Int = #line) {
  if holds { return }
  fputs("line \(line): demanded in vain \(message())\n", stderr)
  exit(1)
}

/// The code of the error that `body` throws.
func code(_ body: () throws -> Void) -> MessageError.Code? {
  do { try body() } catch { return (error as? MessageError)?.code }
  return nil
}

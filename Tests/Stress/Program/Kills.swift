import Apus
import Glibc
import StressSupport

/// Tasks by the million while workers are killed: every result is right or its task is known to be lost, none
/// runs twice, and every death is accounted for.
struct Kills: Scenario {
  private let findings: Findings
  private let wantedTasks = Settings.number("tasks", default: 200_000)
  private let wantedKills = Settings.number("kills", default: 60)
  /// Of each class: idle, in a body, while a result is written.
  private let wantedEach = Settings.number("each", default: 20)
  private var random = Random(Settings.seed)
  private var next = 0

  private var idle = 0
  private var inBody = 0
  private var writing = 0
  private var between = 0
  private var lostTasks = 0

  init(_ findings: Findings) { self.findings = findings }

  mutating func run() async throws {
    var configuration = ProcessPool.Configuration()
    configuration.events = EventStream()
    let lives = Lives()
    let subscription = configuration.events.subscribe { lives.note($0) }
    let pool = try ProcessPool(workers: 4, configuration: configuration)
    let killer = Killer(lives)
    // A fixed bound on the rounds, far above what is needed: a bug must not make this endless.
    for round in 0..<40 * wantedKills {
      if next >= wantedTasks, killer.count >= wantedKills, min(idle, inBody, writing) >= wantedEach { break }
      guard next + 20_000 < Counters.capacity, findings.isClean else { break }
      try await one(round, pool, killer, lives)
    }
    let isSettled = eventually { lives.ended == killer.count && pool.processIdentifiers.count == 4 }
    account(killer, lives, isSettled)
    settle(try await Calls.plain(pool, take(1000), true), [])
    for task in 0..<next where Counters.shared.begins(task) > 1 {
      findings.violation("task \(task) ran \(Counters.shared.begins(task)) times")
    }
    await pool.shutdown()
    subscription.cancel()
    for (name, value) in [
      ("tasks", next), ("kills", killer.count), ("idle", idle), ("body", inBody), ("writing", writing),
      ("between", between), ("lost", lostTasks),
    ] { findings.figure(name, value) }
  }

  /// Every death was a kill, every kill was a death, and each was made good.
  private func account(_ killer: Killer, _ lives: Lives, _ isSettled: Bool) {
    findings.check(
      isSettled, "\(killer.count) kills, \(lives.ended) deaths told, or the pool has lost its width")
    for event in lives.unexplained(killed: killer.processes) {
      findings.violation("a worker that nobody killed has ended: \(event)")
    }
    findings.check(
      lives.started == 4 + killer.count, "\(lives.started) workers were started for \(killer.count) kills")
    findings.check(lives.warnings == 0, "there were \(lives.warnings) warnings")
    findings.check(
      min(idle, inBody, writing) >= wantedEach && next >= wantedTasks && killer.count >= wantedKills,
      "not enough was shown: \(next) tasks, \(killer.count) kills, \(idle) idle, \(inBody) in a body, \(writing) writing"
    )
  }

  /// One call while one worker is killed, or after one or two idle ones were.
  private mutating func one(_ round: Int, _ pool: ProcessPool, _ killer: Killer, _ lives: Lives) async throws
  {
    let isBlocking = random.below(2) == 0
    let before = killer.count
    if round % 4 == 0 {
      // Nothing is under way: the workers are idle, whichever of them is hit.
      let workers = lives.ready
      for _ in 0...random.below(2) where !workers.isEmpty {
        killer.kill(workers[random.below(workers.count)])
      }
      idle += killer.count - before
      // The first tasks after that come before or after the pool has seen it. None of them is lost.
      usleep(UInt32(random.below(3) * random.below(1000)))
      return settle(try await Calls.plain(pool, take(50), isBlocking), [])
    }
    let isOver = Flag()
    let aim: Killer.Aim = round % 4 == 1 ? .result : round % 4 == 2 ? .body : .any
    let shot = try killer.shoot(aim, delay: random.below(4_000_000), choice: random.below(4)) { isOver.isSet }
    let outcomes =
      switch aim == .result ? 2 : random.below(aim == .body ? 2 : 3) {
      case 0: try await Calls.plain(pool, take(6000), isBlocking)
      case 1: try await Calls.text(pool, take(600), isBlocking)
      default: try await Calls.large(pool, take(16), isBlocking)
      }
    isOver.set()
    findings.check(eventually { shot.isDone }, "the killer hangs")
    settle(outcomes, Set(killer.processes))
    // A kill that cost no task hit a worker between two tasks, or after the last.
    if killer.count > before, !outcomes.contains(where: \.isLost) { between += 1 }
  }

  private mutating func take(_ count: Int) -> Range<Int> {
    defer { next += count }
    return next..<next + count
  }

  /// Holds outcomes against what the bodies themselves have written down.
  private mutating func settle(_ outcomes: [Calls.Outcome], _ killed: Set<Int32>) {
    var blamed: Set<Int32> = []
    for outcome in outcomes {
      switch outcome {
      case .right(let task):
        let (begins, returns) = (Counters.shared.begins(task), Counters.shared.returns(task))
        findings.check(begins == 1 && returns == 1, "task \(task) has a result, and ran \(begins) times")
      case .wrong(let task, let what): findings.violation("task \(task) has a wrong result: \(what)")
      case .lost(let task, let error):
        lostTasks += 1
        let process = error.process ?? 0
        findings.check(error.code == .workerDied, "task \(task) failed with \(error)")
        findings.check(
          killed.contains(process), "task \(task) was lost with \(process), which nobody killed: \(error)")
        findings.check(
          blamed.insert(process).inserted, "one death (\(process)) cost two tasks, \(task) the second")
        let (begins, returns) = (Counters.shared.begins(task), Counters.shared.returns(task))
        findings.check(begins <= 1, "task \(task) ran \(begins) times")
        if returns == 1 { writing += 1 } else if begins == 1 { inBody += 1 } else { between += 1 }
      }
    }
  }
}

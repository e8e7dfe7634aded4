import Apus
import Glibc
import Synchronization

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
    let (starts, warnings) = (Counter(), Counter())
    let deaths = Deaths()
    let subscription = configuration.events.subscribe { event in
      switch event.kind {
      case .workerStarted: starts.add()
      case .workerExited: deaths.add(event.process ?? 0, event.status)
      case .warning: warnings.add()
      default: break
      }
    }
    let pool = try ProcessPool(workers: 4, configuration: configuration)
    let killer = Killer(pool)
    // A fixed bound on the rounds, far above what is needed: a bug must not make this endless.
    for round in 0..<40 * wantedKills {
      if next >= wantedTasks, killer.count >= wantedKills, min(idle, inBody, writing) >= wantedEach { break }
      guard next + 20_000 < Counters.capacity else { break }
      try await one(round, pool, killer, deaths)
      if !findings.isClean { break }
    }
    let isSettled = eventually { deaths.count == killer.count && pool.processIdentifiers.count == 4 }
    findings.check(
      isSettled, "\(killer.count) kills, \(deaths.count) deaths told, \(pool.processIdentifiers.count) workers of 4")
    findings.check(deaths.processes.sorted() == killer.processes.sorted(), "those that died are not those killed")
    findings.check(starts.value == 4 + killer.count, "\(starts.value) workers were started for \(killer.count) kills")
    findings.check(deaths.allBySIGKILL, "a worker ended otherwise: \(deaths)")
    findings.check(warnings.value == 0, "there were \(warnings.value) warnings")
    for task in 0..<next where Counters.shared.begins(task) > 1 {
      findings.violation("task \(task) ran \(Counters.shared.begins(task)) times")
    }
    findings.check(
      min(idle, inBody, writing) >= wantedEach && next >= wantedTasks && killer.count >= wantedKills,
      "not enough was shown: \(next) tasks, \(killer.count) kills, \(idle) idle, \(inBody) in a body, \(writing) writing")
    await pool.shutdown()
    subscription.cancel()
    for (name, value) in [
      ("tasks", next), ("kills", killer.count), ("idle", idle), ("body", inBody), ("writing", writing),
      ("between", between), ("lost", lostTasks),
    ] { findings.figure(name, value) }
  }

  /// One call or several while one worker is killed, or two idle ones just before.
  private mutating func one(_ round: Int, _ pool: ProcessPool, _ killer: Killer, _ deaths: Deaths) async throws {
    let isBlocking = round % 2 == 0
    let before = killer.count
    if idle < wantedEach || next >= wantedTasks, random.below(4) == 0 {
      // Nothing is under way: the workers are idle, whichever of them is hit.
      let workers = pool.processIdentifiers
      for _ in 0...random.below(2) { killer.kill(workers[random.below(workers.count)]) }
      idle += killer.count - before
      usleep(UInt32(random.below(3) * random.below(1000)))
      // The first tasks after that come before or after the pool has seen it.
      settle(try await Calls.plain(pool, take(50), isBlocking), [], deaths)
      return
    }
    let isOver = Flag()
    let kind = writing < wantedEach && random.below(2) == 0 ? 2 : random.below(3)
    let aim: Killer.Aim = kind == 2 ? .result : random.below(3) == 0 ? .any : .body
    let shot = try killer.shoot(aim, delay: random.below(4_000_000), choice: random.below(4)) { isOver.isSet }
    let outcomes: [Calls.Outcome]
    switch kind {
    case 0: outcomes = try await Calls.plain(pool, take(8000), isBlocking)
    case 1: outcomes = try await Calls.text(pool, take(600), isBlocking)
    default: outcomes = try await Calls.large(pool, take(16), isBlocking)
    }
    isOver.set()
    findings.check(eventually { shot.isDone }, "the killer hangs")
    settle(outcomes, Set(killer.processes), deaths)
    let isNew = killer.count > before
    // A kill that cost no task hit a worker between two tasks, or after the last.
    if isNew, !outcomes.contains(where: { if case .lost = $0 { true } else { false } }) { between += 1 }
  }

  private mutating func take(_ count: Int) -> Range<Int> {
    defer { next += count }
    return next..<next + count
  }

  /// Holds outcomes against what the bodies themselves have written down.
  private mutating func settle(_ outcomes: [Calls.Outcome], _ killed: Set<Int32>, _ deaths: Deaths) {
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
        findings.check(killed.contains(process), "task \(task) was lost with \(process), which nobody killed: \(error)")
        findings.check(blamed.insert(process).inserted, "one death (\(process)) cost two tasks, \(task) the second")
        let (begins, returns) = (Counters.shared.begins(task), Counters.shared.returns(task))
        findings.check(begins <= 1, "task \(task) ran \(begins) times")
        if returns == 1 { writing += 1 } else if begins == 1 { inBody += 1 } else { between += 1 }
      }
    }
  }
}

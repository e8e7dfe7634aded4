import ApusSystem
import CApus
import Glibc

/// One run of ranks: what a supervisor's thread knows and does.
///
///     spawn all ──► wait for: sockets, pipes, pidfds, the bell, deadlines ──► pass the rest of the output on
///
/// `RankRun+News` deals with what comes in, `RankRun+Ending` with failures and signals.
final class RankRun {
  enum Tag {
    static let bell: UInt64 = 1 << 32
    static let bootstrap: UInt64 = 2 << 32
    static let newcomer: UInt64 = 3 << 32
    static let connection: UInt64 = 4 << 32
    static let output: UInt64 = 5 << 32
    static let errors: UInt64 = 6 << 32
    static let death: UInt64 = 7 << 32
  }

  /// How far the run is on the way to its end.
  enum Phase {
    case running
    /// Those that are left may end by themselves until then.
    case grace(until: UInt64)
    case terminating(until: UInt64)
    case killing(again: UInt64)
    /// Not even SIGKILL has ended them.
    case over
  }

  let supervisor: RankSupervisor
  let report: (RankEvent) -> Void
  let poller: Poller
  let bootstrap: RankBootstrap
  let input: TerminalInput?
  var ranks: [RankProcess] = []
  var outcome: RankOutcome
  var phase = Phase.running
  /// When their time is over.
  var limitAt: UInt64?
  var kills = 0
  /// Those who have connected and not said yet who they are, the oldest first.
  var newcomers: [(number: UInt64, connection: RankConnection)] = []
  var lastNewcomer: UInt64 = 0
  /// What the ranks print, in `poller`.
  var relays: RelaySet
  /// When what rank 0 has begun to print counts as a question: if whoever gives its input can answer.
  var questionAt: UInt64?
  let canBeAnswered: Bool
  /// When ranks that are left after a SIGQUIT get another.
  var quitAgainAt: UInt64?
  /// When to look next whether the descriptors are still there.
  var nextLook: UInt64 = 0
  /// A rank was found to have ended because its connection was closed by other code.
  var hasLostConnection = false
  /// The first rank whose kept output is not passed on yet.
  var nextToPrint = 0

  var options: RankOptions { supervisor.options }
  var size: Int { supervisor.commands.count }

  private init(_ supervisor: RankSupervisor, _ report: @escaping (RankEvent) -> Void) throws(ProcessError) {
    (self.supervisor, self.report) = (supervisor, report)
    outcome = RankOutcome(statuses: Array(repeating: .unknown, count: supervisor.commands.count))
    poller = try Poller()
    relays = RelaySet(poller)
    bootstrap = try RankBootstrap(size: supervisor.commands.count, memory: supervisor.memory)
    canBeAnswered = supervisor.options.forwardsInput && Self.isDialogue(0)
    input = supervisor.options.forwardsInput && isatty(0) == 1 ? try TerminalInput() : nil
    try poller.add(supervisor.bell.descriptor.number, tag: Tag.bell)
    try poller.add(bootstrap.descriptor, tag: Tag.bootstrap)
  }

  /// Whether somebody writes to this descriptor while we run: a person at a terminal, or a program through a pipe.
  private static func isDialogue(_ descriptor: Int32) -> Bool {
    var information = stat()
    guard fstat(descriptor, &information) == 0 else { return false }
    let kind = information.st_mode & S_IFMT
    return kind == S_IFIFO || kind == S_IFSOCK || isatty(descriptor) == 1
  }

  /// Starts all ranks, or none.
  static func start(
    _ supervisor: RankSupervisor, _ report: @escaping (RankEvent) -> Void
  ) throws(LaunchError) -> RankRun {
    var begun: RankRun?
    do {
      let run = try RankRun(supervisor, report)
      begun = run
      try run.startAll()
      try run.input?.start()
      return run
    } catch {
      begun?.abandonAll()
      throw LaunchError(error)
    }
  }

  func untilTheEnd() throws(LaunchError) -> RankOutcome {
    limitAt = options.timeLimit.map { apus_now() + nanoseconds($0) }
    for rank in ranks { report(.started(rank: rank.rank, process: rank.child.pid)) }
    while !isOver {
      guard poller.wait(timeout(now: apus_now()), { handle($0) }), hasItsDescriptors(now: apus_now()) else {
        abandonDescriptors()
        abandonAll()
        throw LaunchError(
          .system,
          "another part of this program has closed the descriptors by which the ranks are looked after (with "
            + "`closefrom`, or in a loop?), so they were ended: close none that are not your own")
      }
      heedRequests()
      meetDeadlines(now: apus_now())
      relays.resume()
    }
    input?.end()
    passOnTheRest()
    return outcome
  }

  private var isOver: Bool {
    if case .over = phase { return true }
    return ranks.allSatisfy(\.hasEnded)
  }

  /// Passes on what is left of the output, as slowly as it is read. After a signal, or when the ranks' time
  /// is over, nobody waits for that.
  private func passOnTheRest() {
    let targets = [LineTarget.standardOutput, .standardError]
    // Nothing else may wake this loop, which does not deal with it: it would wake it again and again.
    poller.remove(bootstrap.descriptor)
    for newcomer in newcomers { poller.remove(newcomer.connection.descriptor.number) }
    for rank in ranks where !rank.hasEnded { poller.remove(rank.child.pidfd) }
    var end: UInt64?
    while true {
      let isPrinted = printKept()
      if isPrinted, targets.allSatisfy(\.isSettled) { break }
      heedRequests()
      if outcome.signal != nil || !outcome.pastLimit.isEmpty {
        end = end ?? apus_now() + 200_000_000
        if apus_now() >= end! { break }
      }
      _ = poller.wait(5_000_000) { if $0 == Tag.bell { supervisor.bell.silence() } }
    }
    outcome.isOutputClosed = LineTarget.standardOutput.isBroken
    outcome.outputLoss = targets.map(\.loss).first { $0 != 0 } ?? 0
  }

  private func timeout(now: UInt64) -> UInt64? {
    var next: UInt64?
    func consider(_ time: UInt64) { next = min(next ?? .max, time) }
    switch phase {
    case .running: if let limitAt { consider(limitAt) }
    case .over: break
    case .grace(let time), .terminating(let time), .killing(let time): consider(time)
    }
    if let questionAt { consider(questionAt) }
    if let quitAgainAt { consider(quitAgainAt) }
    for rank in ranks {
      if let time = rank.leavesAt { consider(time) }
      // Without a pidfd (an old kernel) nothing tells of a death.
      if !rank.hasEnded, rank.child.pidfd < 0 { consider(now + 20_000_000) }
    }
    if options.watchdog == nil { consider(nextLook) }
    if relays.isHolding || !printKept() { consider(now + RelaySet.patience) }
    return next.map { $0 > now ? $0 - now : 0 }
  }
}

import CApus
import Glibc

extension RankRun {
  /// Notes a failure, and after the first has the others end.
  func fail(_ rank: RankProcess, _ reason: RankFailure.Reason) {
    guard !rank.hasFailed else { return }
    rank.hasFailed = true
    outcome.failures += 1
    let failure = RankFailure(
      rank: rank.rank, process: rank.process, reason: reason, standardError: rank.errors.relay.tail)
    // Before all else, so that peers that wait for it can end by themselves, and say where they were.
    report(.failed(failure))
    // A rank that ends after it was asked to is not the failure to tell.
    guard case .running = phase else { return }
    if outcome.failure == nil { outcome.failure = failure }
    if options.failure == .endsOthers || rank.hasAborted {
      phase = .grace(until: apus_now() + nanoseconds(options.grace))
    }
  }

  /// Does what other threads have asked for.
  func heedRequests() {
    let signals = supervisor.requests.withLock { requests in
      defer { requests = [] }
      return requests
    }
    for signal in signals {
      if outcome.signal != nil {
        kill()
        continue
      }
      outcome.signal = signal
      signalAll(signal)
      if signal == SIGQUIT { quitAgainAt = apus_now() + Self.quitInterval }
      switch phase {
      // A failure has set the time already.
      case .grace, .terminating, .killing, .over: break
      case .running: phase = .grace(until: apus_now() + nanoseconds(options.grace))
      }
    }
  }

  func meetDeadlines(now: UInt64) {
    for rank in ranks {
      if !rank.hasEnded, rank.child.pidfd < 0 { checkDeath(rank) }
      if let time = rank.leavesAt, now >= time {
        rank.leavesAt = nil
        fail(rank, .hungUp)
      }
    }
    if let time = questionAt, now >= time {
      questionAt = nil
      for stream in [ranks[0].output, ranks[0].errors]
      where stream.isOpen && stream.relay.mayBeAsking && isAnswerOpen { stream.relay.forwardOpenLine() }
    }
    if let time = quitAgainAt, now >= time { quitAgain(now) }
    switch phase {
    case .running where limitAt.map { now >= $0 } ?? false: endLate(now)
    case .grace(let time) where now >= time:
      signalAll(SIGTERM)
      phase = .terminating(until: now + nanoseconds(options.lastGrace))
    case .terminating(let time) where now >= time: kill()
    case .killing(let time) where now >= time: kills < 10 ? kill() : giveUp()
    default: break
    }
  }

  /// Their time is over.
  private func endLate(_ now: UInt64) {
    for rank in ranks where !rank.hasEnded && !rank.hasReturned { outcome.pastLimit.insert(rank.rank) }
    signalAll(SIGTERM)
    phase = .terminating(until: now + nanoseconds(options.lastGrace))
  }

  /// Whether our input is open and empty. At its end nobody can answer, and input that is there already waits
  /// for no question.
  private var isAnswerOpen: Bool {
    var waiting = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
    return poll(&waiting, 1, 0) == 0
  }

  private static let quitInterval: UInt64 = 100_000_000

  /// Swift's handler answers the first SIGQUIT with a backtrace, and the program goes on; the next one ends
  /// it. Programs that have not joined may have a handler of their own, and get only the first.
  private func quitAgain(_ now: UInt64) {
    guard case .grace = phase else { return quitAgainAt = nil }
    for rank in ranks where rank.hasJoined && !rank.hasEnded { rank.child.signal(SIGQUIT) }
    quitAgainAt = now + Self.quitInterval
  }

  private func kill() {
    kills += 1
    signalAll(SIGKILL)
    // A process in the middle of a system call that can't be interrupted takes its time.
    phase = .killing(again: apus_now() + 1_000_000_000)
  }

  private func giveUp() {
    outcome.left = ranks.filter { !$0.hasEnded }.map(\.child.pid)
    for rank in ranks where !rank.hasEnded {
      close(rank.output)
      close(rank.errors)
    }
    phase = .over
  }

  private func signalAll(_ signal: Int32) {
    for rank in ranks where !rank.hasEnded {
      rank.child.signalGroup(signal)
      if outcome.signal == nil, !rank.hasFailed { outcome.ended.insert(rank.rank) }
      // One that is stopped would not hear it.
      if signal != SIGKILL { rank.child.signalGroup(SIGCONT) }
    }
  }

  /// More than a year is for ever.
  func nanoseconds(_ duration: Duration) -> UInt64 {
    min(duration.inNanoseconds, 400 * 86400 * 1_000_000_000)
  }
}

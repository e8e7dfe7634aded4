import ApusSystem
import CApus
import Glibc

extension RankRun {
  func handle(_ tag: UInt64) {
    let number = tag & 0xffff_ffff
    switch tag & ~0xffff_ffff {
    case Tag.bell: supervisor.bell.silence()
    case Tag.bootstrap: welcome()
    case Tag.newcomer: admit(number)
    case Tag.connection: listen(to: ranks[Int(number)])
    case Tag.output: forward(ranks[Int(number)].output)
    case Tag.errors: forward(ranks[Int(number)].errors)
    case Tag.death: checkDeath(ranks[Int(number)])
    default: break
    }
  }

  // MARK: Joining

  /// Takes in whoever has connected.
  private func welcome() {
    while let connection = bootstrap.accept() {
      lastNewcomer = (lastNewcomer + 1) & 0xffff_ffff
      if newcomers.count >= 2 * size + 16 { makeRoom() }
      newcomers.append((lastNewcomer, connection))
      if (try? poller.add(connection.descriptor.number, tag: Tag.newcomer | lastNewcomer)) == nil {
        dismiss(lastNewcomer)
      }
    }
  }

  /// Connections that say nothing must not keep ranks out. The process that has the most of them loses its
  /// oldest. A rank has only one, and may just be about to speak.
  private func makeRoom() {
    for newcomer in newcomers.map(\.number) { admit(newcomer) }
    let processes = newcomers.map { (try? $0.connection.peer().process) ?? 0 }
    let counts = Dictionary(processes.map { ($0, 1) }, uniquingKeysWith: +)
    guard let most = counts.values.max(), newcomers.count >= 2 * size + 16,
      let index = processes.firstIndex(where: { counts[$0] == most })
    else { return }
    dismiss(newcomers[index].number)
  }

  private func dismiss(_ number: UInt64) {
    guard let index = newcomers.firstIndex(where: { $0.number == number }) else { return }
    poller.remove(newcomers[index].connection.descriptor.number)
    newcomers.remove(at: index)
  }

  private func admit(_ number: UInt64) {
    guard let connection = newcomers.first(where: { $0.number == number })?.connection else { return }
    switch bootstrap.admit(connection, groups: ranks.map(\.child.pid)) {
    case .notYet: return
    case .refused: dismiss(number)
    case .rank(let index, let process):
      dismiss(number)
      let rank = ranks[index]
      // The rank may have ended, and a descendant of it join too late. It ends when its connection is
      // dropped.
      guard !rank.hasEnded else { return }
      (rank.connection, rank.process, rank.hasJoined) = (connection, process, true)
      let tag = Tag.connection | UInt64(index)
      guard (try? poller.add(connection.descriptor.number, tag: tag)) != nil else { return hangUp(rank) }
      report(.joined(rank: index, process: process))
      for other in ranks where other.hasEnded && !other.hasJoined && !other.hasFailed {
        fail(other, .neverJoined)
      }
    }
  }

  private func listen(to rank: RankProcess) {
    guard let connection = rank.connection else { return }
    // Not for ever: a rank that talks without end must not keep us from the others.
    for _ in 0..<16 {
      switch connection.receive() {
      case .nothing: return
      case .message(.finalized, nil):
        guard !rank.hasFinalized else { continue }
        rank.hasFinalized = true
        report(.finalized(rank: rank.rank))
      case .message(.result, let parcel?):
        rank.hasReturned = true
        report(.returned(rank: rank.rank, parcel))
      case .message(.abort, nil): rank.hasAborted = true
      // Whatever else a rank says harms nobody but itself.
      case .message, .nonsense: continue
      case .end: return hangUp(rank)
      }
    }
  }

  private func hangUp(_ rank: RankProcess) {
    if let connection = rank.connection { poller.remove(connection.descriptor.number) }
    rank.connection = nil
    // A rank that is no child of ours may be reaped at any time from now on, and its number be reused.
    if !rank.hasFinalized { report(.disconnected(rank: rank.rank)) }
    // A process that ends closes its connection first, and a moment later it is known how it ended.
    if !rank.hasFinalized, !rank.hasEnded { rank.leavesAt = apus_now() + 1_000_000_000 }
  }

  // MARK: Output

  private func forward(_ stream: RankStream) {
    relays.forward(stream.tag)
    // Nobody reads what we pass on: the rank has to learn that, by SIGPIPE as in a shell's pipeline.
    if stream.relay.isBroken { close(stream) }
    if canBeAnswered, stream.tag & 0xffff_ffff == 0, stream.relay.mayBeAsking {
      questionAt = apus_now() + 100_000_000
    }
  }

  func close(_ stream: RankStream) {
    relays.finish(stream.relay, tag: stream.tag, endsLine: stream.endsLines)
  }

  /// Passes on what was kept of ranks that have ended, in the order of ranks. False if some of it waits for
  /// its reader.
  func printKept() -> Bool {
    while nextToPrint < ranks.count, ranks[nextToPrint].hasEnded || isGivenUp {
      guard ranks[nextToPrint].output.print(), ranks[nextToPrint].errors.print() else { return false }
      nextToPrint += 1
    }
    return true
  }

  private var isGivenUp: Bool {
    if case .over = phase { return true }
    return false
  }

  // MARK: Ends

  func checkDeath(_ rank: RankProcess) {
    guard !rank.hasEnded else { return }
    // This ends what it has left behind in its group, which may have its connection, too.
    let found = try? poller.ending(of: rank.child.pidfd, tag: Tag.death | UInt64(rank.rank)) {
      rank.child.ended()
    }
    guard let status = found else { return }
    if wasCutOff(rank) {
      hasLostConnection = true
      return
    }
    options.watchdog?.watch(rank.rank, group: 0)
    // What it said before it ended counts: that it joined, and that it has finalized.
    welcome()
    for newcomer in newcomers.map(\.number) { admit(newcomer) }
    listen(to: rank)
    (rank.status, rank.leavesAt) = (status, nil)
    outcome.statuses[rank.rank] = status
    close(rank.output)
    close(rank.errors)
    if let connection = rank.connection { poller.remove(connection.descriptor.number) }
    rank.connection = nil
    judge(rank, status)
    // Not before its peers are told: they read and write its memory by its number, which may be another's
    // from here on.
    _ = rank.child.reap()
    report(.ended(rank: rank.rank, status: status))
  }

  private func judge(_ rank: RankProcess, _ status: ExitStatus) {
    // If another part of the program has taken the status, it is unknown. Then a rank that has finalized has
    // ended in good order.
    let isUnknownGood = status == .unknown && rank.hasFinalized && !rank.hasAborted
    if !status.isSuccess && !isUnknownGood {
      fail(rank, .status(status))
    } else if rank.hasJoined && !rank.hasFinalized {
      fail(rank, .unfinalized)
    } else if !rank.hasJoined && ranks.contains(where: \.hasJoined) {
      fail(rank, .neverJoined)
    }
  }
}

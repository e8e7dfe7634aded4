import ApusSystem
import CApus
import Synchronization

extension EngineWorker {
  /// Takes back every task that the worker has not begun, and puts it at the head of its job's queue.
  ///
  /// Which those are is settled without a lock. The worker claims a task (`progress`) and then looks at the
  /// gate. We shut the gate, have the kernel put a barrier into the worker's stream of instructions, and read
  /// `progress`: a claim that was made before it saw the gate is visible now, and the worker waits at the
  /// gate with every later one until we have decided. Returns how many were taken back.
  ///
  /// What is still on its way to the worker follows all the same, and the worker passes over it: the other end of a
  /// stream can't know that it ends early.
  func revoke() -> Int {
    let before = checkRevocation()  // the last one may be over and nobody have noticed
    guard inFlight > 0, !isRevoking, state == .ready else { return before }
    isRevoking = true
    if let distant {
      // Its answer comes later; nothing is sent to it until then.
      awaitsDecision = true
      channel.revokedTo.pointee.store(.max, ordering: .relaxed)
      channel.revocation.pointee.store(Revocation.deciding, ordering: .relaxed)
      distant.revoke(before: nextSequence)
      return before
    }
    return before + takeBack(from: channel.decideRevocation(before: nextSequence, notBefore: expected))
  }

  /// Takes the tasks from the one numbered `from` on for not sent.
  private func takeBack(from: UInt64) -> Int {
    var count = 0
    while let chunk = chunks.last, chunk.first + UInt64(chunk.span.range.count) > from {
      _ = chunks.popLast()
      let kept = from > chunk.first ? Int(from - chunk.first) : 0
      var back = chunk.span
      back.range = chunk.span.range.lowerBound + kept..<chunk.span.range.upperBound
      count += back.range.count
      chunk.job.inFlight -= back.range.count
      chunk.job.requeue(back)
      touched.add(chunk.job)
      guard kept == 0 else {
        var left = chunk
        left.span.range = chunk.span.range.lowerBound..<back.range.lowerBound
        chunks.append(left)
        break
      }
    }
    inFlight -= count
    tasksLeft += count
    if inFlight == 0, count > 0 { endBusy(apus_now()) }
    expected = chunks.first?.first ?? nextSequence
    if let stop, stop.sequence != expected {
      // The task that was asked to stop had not begun, and is elsewhere now.
      self.stop = nil
      channel.cancelled.pointee.store(0, ordering: .relaxed)
    }
    if count == 0 { endRevocation() }
    return count
  }

  /// Takes back what a distant worker has answered; opens the gate again once the worker has passed what was taken
  /// back. Returns how many tasks came back.
  @discardableResult
  func checkRevocation() -> Int {
    guard isRevoking else { return 0 }
    var count = 0
    if isDecided {
      awaitsDecision = false
      // Nothing was sent to it since it was asked.
      channel.revokedTo.pointee.store(nextSequence, ordering: .relaxed)
      let from = channel.revokedFrom.pointee.load(ordering: .relaxed)
      count = takeBack(from: min(max(from, expected), nextSequence))
    }
    if isRevoking, !awaitsDecision, channel.hasPassedRevocation { endRevocation() }
    return count
  }

  /// Whether the answer of a distant worker is there, and nobody has looked.
  var isDecided: Bool {
    awaitsDecision && channel.revocation.pointee.load(ordering: .relaxed) == Revocation.decided
  }

  private func endRevocation() {
    isRevoking = false
    channel.revocation.pointee.store(Revocation.none, ordering: .releasing)
    openGate()
  }
}

extension Channel {
  /// Whether the worker has passed what was taken back.
  var hasPassedRevocation: Bool {
    progress.pointee.load(ordering: .acquiring) >= 2 &* revokedTo.pointee.load(ordering: .relaxed)
  }

  /// Decides which of the tasks before `next` the worker shall not begin, and returns the first of them.
  ///
  /// - Parameter barrier: Has every processor that runs a worker fence; false if the kernel refuses, as it may where a
  ///   sandbox was put up after the worker had registered. A worker with `needsFences` does without: its gate is always
  ///   shut, and it fences.
  package func decideRevocation(
    before next: UInt64, notBefore expected: UInt64 = 0, barrier: () -> Bool = { apus_barrier_all() }
  ) -> UInt64 {
    revocation.pointee.store(Revocation.deciding, ordering: .releasing)
    gate.pointee.store(0, ordering: .sequentiallyConsistent)
    let isOrdered = barrier() || workerFences
    let progress = progress.pointee.load(ordering: .sequentiallyConsistent)
    let begun = max(progress / 2 + (progress & 1), expected)
    // Where nothing has ordered the worker's claim before its look at the gate, a claim that we do not see may have
    // been made: nothing is taken back then, or a task could run twice.
    let from = isOrdered ? min(begun, next) : next
    revokedFrom.pointee.store(from, ordering: .relaxed)
    // Release: pairs with the acquire in `mayStart`, which reads the two the other way round. Who sees this end sees no
    // older beginning.
    revokedTo.pointee.store(next, ordering: .releasing)
    revocation.pointee.store(Revocation.decided, ordering: .releasing)
    return from
  }
}

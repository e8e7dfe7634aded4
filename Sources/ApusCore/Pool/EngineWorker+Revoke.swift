import CApus
import Synchronization

extension EngineWorker {
  /// Takes back every task that the worker has not begun, and puts it at the head of its job's queue.
  ///
  /// Which those are is settled without a lock. The worker claims a task (`progress`) and then looks at the
  /// gate. We shut the gate, have the kernel put a barrier into the worker's stream of instructions, and read
  /// `progress`: a claim that was made before it saw the gate is visible now, and the worker waits at the
  /// gate with every later one until we have decided. Returns how many were taken back.
  func revoke() -> Int {
    checkRevocation()  // the last one may be over and nobody have noticed
    guard inFlight > 0, !isRevoking, outgoing == nil, state == .ready else { return 0 }
    isRevoking = true
    channel.revocation.pointee.store(Revocation.deciding, ordering: .releasing)
    channel.gate.pointee.store(0, ordering: .sequentiallyConsistent)
    _ = apus_barrier_all()  // without it (`needsFences`) the gate is always shut, and the worker fences
    let progress = channel.progress.pointee.load(ordering: .sequentiallyConsistent)
    let begun = max(progress / 2 + (progress & 1), expected)
    let from = min(begun, nextSequence)
    channel.revokedFrom.pointee.store(from, ordering: .relaxed)
    channel.revokedTo.pointee.store(nextSequence, ordering: .relaxed)
    channel.revocation.pointee.store(Revocation.decided, ordering: .releasing)

    var count = 0
    while let chunk = chunks.last, chunk.first + UInt64(chunk.span.range.count) > from {
      _ = chunks.popLast()
      let kept = from > chunk.first ? Int(from - chunk.first) : 0
      var back = chunk.span
      back.range = chunk.span.range.lowerBound + kept..<chunk.span.range.upperBound
      count += back.range.count
      chunk.job.inFlight -= back.range.count
      if !chunk.job.isCancelled { chunk.job.requeue(back) }
      guard kept == 0 else {
        var left = chunk
        left.span.range = chunk.span.range.lowerBound..<back.range.lowerBound
        chunks.append(left)
        break
      }
    }
    inFlight -= count
    expected = chunks.first?.first ?? nextSequence
    if let stop, stop.sequence != expected {
      // The task that was asked to stop had not begun, and is elsewhere now.
      self.stop = nil
      channel.cancelled.pointee.store(0, ordering: .relaxed)
    }
    if count == 0 { endRevocation() }
    return count
  }

  /// Opens the gate again once the worker has passed what was taken back.
  func checkRevocation() {
    if isRevoking, hasPassedRevocation { endRevocation() }
  }

  var hasPassedRevocation: Bool {
    channel.progress.pointee.load(ordering: .acquiring) >= 2
      &* channel.revokedTo.pointee.load(ordering: .relaxed)
  }

  private func endRevocation() {
    isRevoking = false
    channel.revocation.pointee.store(Revocation.none, ordering: .releasing)
    openGate()
  }
}

import ApusSystem
import CApus

// Workers that are replaced after so many tasks. Each place in the pool has two slots then: the successor gets ready in
// one while the worker in the other does its last tasks, so that there is no gap in the work.
extension PoolEngine {
  /// How long before its end a worker's successor is started, if the tasks' length is known: longer than a start takes.
  private static let lead = 30_000_000.0  // ns

  /// After a worker was sent tasks, or has done some.
  func recycle(_ worker: EngineWorker, now: UInt64) {
    guard let limit = configuration.tasksPerWorker, worker.state == .ready, !isEnding, problem == nil else {
      return
    }
    let taskTime = max(1, worker.headJob?.taskTime ?? Self.lead)
    if worker.tasksLeft <= max(1, min(limit / 2, Int(Self.lead / taskTime))), !hasSuccessor(worker) {
      let slot = twin(of: worker.slot)
      // The one before may not be gone yet.
      if workers[slot] == nil { start([slot], now: now) }
    }
    guard worker.tasksLeft <= 0, worker.inFlight == 0, worker.outgoing == nil, !worker.isRevoking else {
      return
    }
    retire(worker)
    dismiss(worker)
    promoteSuccessor(of: worker)
  }

  /// Sees to workers whose last result was taken by whoever enforces a limit.
  func recycleAll() {
    for case let worker? in workers where worker.tasksLeft <= 0 && worker.inFlight == 0 {
      recycle(worker, now: apus_now())
    }
  }

  /// It ends in good order, and another one takes its place.
  func retire(_ worker: EngineWorker) {
    worker.isRetired = true
    recycled += 1
  }

  private func twin(of slot: Int) -> Int { (slot + configuration.workers) % workers.count }

  /// The other worker at the same place, if there is one that does not end.
  private func sibling(of worker: EngineWorker) -> EngineWorker? {
    guard configuration.tasksPerWorker != nil, let other = workers[twin(of: worker.slot)],
      other.state != .finishing, other.state != .leaving
    else { return nil }
    return other
  }

  /// Whether another worker will take the place of this one.
  func hasSuccessor(_ worker: EngineWorker) -> Bool {
    configuration.tasksPerWorker != nil
      && (sibling(of: worker) != nil || awaited.contains(twin(of: worker.slot)))
  }

  /// Whether another worker still does the tasks of this one's place.
  func hasPredecessor(_ worker: EngineWorker) -> Bool { sibling(of: worker)?.state == .ready }

  func promoteSuccessor(of worker: EngineWorker) {
    guard let next = sibling(of: worker), next.state == .standby else { return }
    next.state = .ready
    next.mark = apus_now()
  }
}

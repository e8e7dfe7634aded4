import ApusSystem
import ApusWire
import CApus
import Glibc

// A limit on the memory of each worker.
extension PoolEngine {
  /// How often workers that are at a task are looked at. A task can go past its limit by what it fills meanwhile.
  private static let memoryInterval: UInt64 = 20_000_000  // ns

  /// What the kernel lets a worker have where it has a control group of its own: somewhat more, since it counts its own
  /// tables, too. For what fills memory faster than we look; and for what is in no process.
  static func kernelLimit(_ limit: UInt64) -> UInt64 { limit + limit / 8 + 16 << 20 }

  /// The most that a worker may have for what it is at. Alone it may have what all have.
  private func limit(of worker: EngineWorker) -> UInt64 {
    (configuration.memoryLimit ?? 0) * (worker === runningAlone ? UInt64(configuration.workers) : 1)
  }

  /// When to look next; nil if there is nothing to look at.
  var nextMemoryLook: UInt64? {
    guard configuration.memoryLimit != nil, workers.contains(where: { $0.map(isAtTask) ?? false }) else {
      return nil
    }
    return lastMemoryLook &+ Self.memoryInterval
  }

  private func isAtTask(_ worker: EngineWorker) -> Bool {
    // What makes the backtrace of a crash takes memory, too.
    !worker.isKilled && worker.child != nil && worker.inFlight > 0 && !worker.hasCrashed
  }

  /// Ends workers whose task has taken more than it may.
  func enforceMemoryLimit(now: UInt64) {
    guard configuration.memoryLimit != nil, now >= lastMemoryLook &+ Self.memoryInterval else { return }
    lastMemoryLook = now
    for case let worker? in workers where isAtTask(worker) {
      let limit = limit(of: worker)
      guard let held = ProcessMemory.held(by: worker.process.pid, limit: limit) else { continue }
      let isKillsOwn = noteKills(of: worker)
      guard held > limit || isKillsOwn else {
        if worker.mayHaveAll, worker !== runningAlone, setKernelLimit(of: worker) {
          worker.mayHaveAll = false
        }
        continue
      }
      noteMemory(of: worker, held)
      if worker.hook != nil {
        worker.kill(nil)
        continue
      }
      // Its result may be there, and what waits behind it is not to be blamed.
      do {
        let head = worker.expected
        _ = takeBackWaiting(of: worker)
        let finished = try receive(from: worker, now: now)
        if worker.expected == head, worker.inFlight > 0 { worker.kill(.memoryLimit) }
        settle(finished)
      } catch { condemn(worker, error) }
    }
  }

  /// Takes what has come back from a worker. Returns how many tasks were finished.
  func receive(from worker: EngineWorker, now: UInt64) throws(ChannelCorruption) -> Int {
    let finished = try worker.receive(now: now)
    settleBreaches(by: worker)
    return finished
  }

  /// A task has returned after the kernel had ended a process that it had started.
  @inline(__always)
  func settleBreaches(by worker: EngineWorker) {
    if !worker.overLimit.isEmpty { tellBreaches(by: worker) }
  }

  private func tellBreaches(by worker: EngineWorker) {
    let tasks = worker.overLimit
    worker.overLimit = []
    let loss = WorkerLoss(
      process: worker.process.pid, status: .signalled(SIGKILL, coreDumped: false), standardError: "",
      reason: .memoryLimit, code: worker.channel.functionCode, pool: configuration.name, worker: worker.place,
      memory: (nil, limit(of: worker)), isOfChild: true)
    for (job, span) in tasks where !triesAlone(job, span) { job.deliver(.lost(loss), index: span.firstIndex) }
  }

  /// Whether the kernel has ended a process that the task at the head has started, and not the worker. Not if another task
  /// was at the head when we looked before: it may have been that one's.
  private func noteKills(of worker: EngineWorker) -> Bool {
    guard let group = worker.child?.memory else { return false }
    let (before, now) = (worker.kills, group.kills)
    worker.kills = (now, before.count, worker.expected)
    return now > before.count && before.head == worker.expected
  }

  /// False if it holds more: the kernel would end it.
  private func setKernelLimit(of worker: EngineWorker) -> Bool {
    guard let group = worker.child?.memory else { return true }
    let limit = Self.kernelLimit(limit(of: worker))
    return (group.held ?? .max) < limit && group.setLimit(limit)
  }

  private func noteMemory(of worker: EngineWorker, _ held: UInt64?) {
    let limit = limit(of: worker)
    worker.memory = (held.flatMap { $0 > limit ? $0 : nil }, limit)
    guard let hook = worker.hook else { return }
    worker.hookFailure =
      "its \(hook.hook.name) hook exceeded the memory limit\(WorkerLoss.describe(worker.memory))"
  }

  /// A worker has ended: whether because of what it held, in what it was at.
  func judgeMemory(of worker: EngineWorker, _ status: ExitStatus) {
    guard let group = worker.child?.memory else { return }
    let hasWork = worker.inFlight > 0 || worker.stillToldFor != nil
    if !worker.isKilled, hasWork, isKill(status), group.kills > worker.kills.before {
      noteMemory(of: worker, nil)
      (worker.killedFor, worker.killedIn) = (.memoryLimit, worker.expected)
    }
    group.remove()
  }

  private func isKill(_ status: ExitStatus) -> Bool {
    if case .signalled(SIGKILL, _) = status { return true }
    return false
  }

  // MARK: Once more, alone

  /// Has a task tried again when nothing else runs. False if it was not asked for, or it has been tried so.
  func triesAlone(_ job: EngineJob, _ span: InputSpan) -> Bool {
    let index = span.firstIndex
    guard configuration.retriesAlone, !job.isUnwanted, job.triedAlone.insert(index).inserted else {
      return false
    }
    job.alone += 1
    ledger.queued += 1
    ledger.counts.retried += 1
    job.attempts[index, default: 0] += 1
    ledger.note(.taskRetried, of: job, index, 1)
    alone.append((job, span))
    return true
  }

  /// Whether a task is to run alone, or does: others wait then.
  func servesAlone() -> Bool {
    dropUnwantedAlone()
    if let worker = runningAlone {
      if !worker.isDead, worker.inFlight > 0 { return true }
      runningAlone = nil
    }
    guard let (job, span) = alone.first else { return false }
    let isQuiet = workers.allSatisfy { $0.map { $0.inFlight == 0 || $0.hook != nil } ?? true }
    let mayTake = { (worker: EngineWorker) in
      worker.isIdle && (job.options.place.map { self.serves(worker, $0) } ?? true)
    }
    guard isQuiet, let worker = workers.lazy.compactMap({ $0 }).first(where: mayTake) else { return true }
    runningAlone = worker
    // Until it is seen to hold less than the usual again.
    worker.mayHaveAll = setKernelLimit(of: worker)
    do {
      guard try worker.send(span, count: 1, messages: 1, job: job) == 1 else { return true }
    } catch {
      condemn(worker, error)
      return true
    }
    alone.removeFirst()
    job.alone -= 1
    ledger.queued -= 1
    job.inFlight += 1
    ledger.note(.taskStarted, of: job, span.firstIndex, 1, by: worker)
    return true
  }

  /// Tells those whose calls have been cancelled, or are past their deadline, or whose pool has ended.
  private func dropUnwantedAlone() {
    guard problem != nil || alone.contains(where: \.job.isUnwanted) else { return }
    let all = alone
    alone = []
    for (job, span) in all {
      guard problem != nil || job.isUnwanted else {
        alone.append((job, span))
        continue
      }
      job.alone -= 1
      ledger.queued -= 1
      let reason: StopReason = job.isCancelled ? .cancelled : .deadline
      job.deliver(problem.map { .unserved($0) } ?? .stopped(reason), index: span.firstIndex)
      touched.add(job)
    }
  }
}

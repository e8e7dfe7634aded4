import CApus
import Glibc
import Synchronization

extension PoolEngine {
  /// When something must happen although nothing does, in nanoseconds from now; nil: never.
  func nextDeadline(now: UInt64) -> UInt64? {
    var next = UInt64.max
    for vacancy in vacancies { next = min(next, vacancy.at) }
    for case let worker? in workers {
      if worker.state == .starting, let limit = configuration.startUpLimit {
        next = min(next, worker.startedAt &+ limit)
      }
      if let stop = worker.stop {
        if !worker.isKilled { next = min(next, stop.killAt) }
      } else if !worker.isKilled, let limit = worker.chunks.first?.job.options.timeLimit {
        next = min(next, worker.limitEnds(limit, now: now))
      }
      if worker.hasOnlyWaiting, hasIdleWorker { next = min(next, worker.mark &+ Self.patience) }
    }
    if !congested.isEmpty { next = min(next, now &+ 10_000_000) }
    guard next != .max else { return nil }
    return next > now ? next - now : 0
  }

  /// Does what is due: tasks past their limit are asked to stop, those that did not are killed with their
  /// worker, and workers are started where some are missing.
  func enforceLimits(now: UInt64) {
    nextLimitCheck = now &+ 1_000_000
    for case let worker? in workers {
      if worker.state == .starting, let limit = configuration.startUpLimit, !worker.isReady,
        now >= worker.startedAt &+ limit
      {
        worker.corruption = "it was not ready after \(Duration.nanoseconds(limit))"
        worker.kill(nil)
      }
      if let stop = worker.stop {
        if now >= stop.killAt, !worker.isKilled { killUnlessOver(worker, stop.reason, now: now) }
      } else if let limit = worker.chunks.first?.job.options.timeLimit,
        now >= worker.limitEnds(limit, now: now)
      {
        enforce(limit, worker, now: now)
      }
    }
    if !congested.isEmpty { relayCongested() }
    let due = vacancies.filter { $0.at <= now }.map(\.slot)
    guard !due.isEmpty, !isClosing else { return }
    vacancies.removeAll { $0.at <= now }
    start(due, now: now)
  }

  /// The task at the head is past its limit, unless its result is there and nobody has looked.
  private func enforce(_ limit: UInt64, _ worker: EngineWorker, now: UInt64) {
    guard worker.state == .ready else { return }
    let late = worker.expected
    do { _ = try worker.receive(now: now) } catch { return condemn(worker, error) }
    if worker.expected == late, let job = worker.chunks.first?.job, !worker.isKilled {
      if worker.hasCrashed {
        worker.kill(nil)  // its backtrace comes to no end
      } else if worker.hasBegunHead {
        worker.askToStop(.timeLimit, killAt: now &+ job.options.grace)
      } else {
        worker.kill(nil)  // it does not even begin; another one will
      }
    }
    schedule()
    announce()
  }

  /// Kills a worker whose task was asked to stop in time, unless its result is there and nobody has looked.
  private func killUnlessOver(_ worker: EngineWorker, _ reason: StopReason, now: UInt64) {
    do { _ = try worker.receive(now: now) } catch { return condemn(worker, error) }
    if let stop = worker.stop, stop.sequence == worker.expected { return worker.kill(reason) }
    schedule()
    announce()
  }

  // MARK: The end

  /// Ends the pool: no new tasks, those given may finish for `limit`, then everything is ended.
  ///
  /// Returns when no process is left; in bounded time after `limit`, whatever the workers do. Of several at a time
  /// the shortest limit counts, and all wait.
  package func shutDown(within limit: UInt64) {
    lock.lock()
    let end = apus_now().addingReportingOverflow(limit)
    let closesBefore = closesAt
    closesAt = min(closesBefore ?? .max, end.overflow ? .max : end.partialValue)
    if closesBefore == nil {
      closingThread = pthread_self()
      close(isGraceful: limit > 0)
      closingThread = nil
    }
    // An observer's call, on a thread that can't wait for its own end.
    let isOurs = [engineThread, closingThread].contains {
      $0.map { pthread_equal($0, pthread_self()) != 0 } ?? false
    }
    unlockAndTell()
    if isOurs { return }
    engineThreadEnded.wait()
    engineThreadEnded.signal()  // for the next one that waits
  }

  /// Whether it was shut down, and no worker is left.
  package var hasEnded: Bool { lock.withLock { isClosed } }

  private func close(isGraceful: Bool) {
    if isGraceful {
      driveBounded(until: { closesAt! }) { active.allSatisfy { $0.isComplete || $0.isCancelled } }
      for case let worker? in workers where worker.isIdle { tellToStop(worker) }
    }
    for case let worker? in workers where worker.state != .leaving { worker.kill(nil) }
    problem = problem ?? .closed
    failEverything(.closed)
    // `exit` runs what bodies registered with `atexit`; it gets a quarter of a second.
    let endOfExit = apus_now() &+ 250_000_000
    driveBounded(until: { endOfExit }) { workers.allSatisfy { $0 == nil } }
    killAll()
    // Not even a kill is sure to be quick (a process in an uninterruptible wait), so this is bounded as well.
    let endOfKill = apus_now() &+ 2_000_000_000
    driveBounded(until: { endOfKill }) { workers.allSatisfy { $0 == nil } }
    isClosed = true
    poke.ring()
    settleOutput()
  }

  private func tellToStop(_ worker: EngineWorker) {
    guard (try? worker.tasks.space(atLeast: TaskHeader.size)) ?? 0 >= TaskHeader.size else { return }
    worker.tasks.place().storeBytes(of: TaskHeader(kind: TaskHeader.Kind.stop), as: TaskHeader.self)
    worker.tasks.publish(TaskHeader.size)
    worker.channel.wakeWorker()
    worker.state = .leaving
  }

  /// Drives, or waits while another thread does, until `isDone` or a moment.
  private func driveBounded(until end: () -> UInt64, _ isDone: () -> Bool) {
    var backoff = Backoff()
    while !isDone() {
      let now = apus_now()
      let end = end()
      if now >= end { return }
      if pump() { backoff = Backoff() }
      unlockAndTell()
      let goesOn = backoff.pause()
      lock.lock()
      if goesOn { continue }
      waitUnlocked(on: quiet, min(end &- now, 1_000_000))
      enforceLimits(now: apus_now())
      announce()
    }
  }
}

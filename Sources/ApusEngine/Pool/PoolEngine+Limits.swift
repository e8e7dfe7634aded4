import ApusWire
import ApusSystem
import CApus
import Glibc
import Synchronization

extension PoolEngine {
  /// When something must happen although nothing does, in nanoseconds from now; nil: never.
  func nextDeadline(now: UInt64) -> UInt64? {
    var next = UInt64.max
    for vacancy in vacancies { next = min(next, vacancy.at) }
    for case let worker? in workers {
      if let limit = configuration.startUpLimit, let since = worker.waitedForSince {
        next = min(next, since.addingClamped(limit))
      }
      if worker.stop != nil {
        next = min(next, worker.killTime ?? .max)
      } else if !worker.isKilled, let limit = worker.headJob?.options.timeLimit {
        next = min(next, worker.limitEnds(limit, now: now))
      }
      if worker.hasOnlyWaiting, hasIdleWorker { next = min(next, worker.mark &+ Self.patience) }
      if let defining = worker.defining, !queue.isEmpty {
        let end = defining.movedAt &+ Self.definingPatience
        if end > now { next = min(next, end) }
      }
    }
    if let look = nextMemoryLook { next = min(next, look) }
    if deadlines > 0 {
      for job in active { next = min(next, job.expiry ?? .max) }
    }
    for waiter in waitingForRoom { next = min(next, waiter.until) }
    if relays.isHolding { next = min(next, now &+ RelaySet.patience) }
    if unused.isPending { next = min(next, now &+ 10_000_000) }
    guard next != .max else { return nil }
    return next > now ? next - now : 0
  }

  /// Does what is due: tasks past their limit are asked to stop, those that did not are killed with their
  /// worker, and workers are started where some are missing.
  func enforceLimits(now: UInt64) {
    nextLimitCheck = now &+ 1_000_000
    if unused.take() { forgetUnused() }
    for case let worker? in workers {
      if let limit = configuration.startUpLimit, let since = worker.waitedForSince,
        now >= since.addingClamped(limit), !worker.hasNews(isLast: true)
      {
        giveUp(worker, after: limit)
      }
      if let stop = worker.stop {
        if let end = worker.killTime, now >= end { killUnlessOver(worker, stop.reason, now: now) }
      } else if let limit = worker.headJob?.options.timeLimit,
        now >= worker.limitEnds(limit, now: now)
      {
        enforceLimit(worker, limit, now: now)
      }
    }
    enforceMemoryLimit(now: now)
    if deadlines > 0 {
      for job in active where now >= job.expiry ?? .max { expire(job, now: now) }
    }
    if !waitingForRoom.isEmpty { giveRoom(now: now) }
    if relays.isHolding { relays.resume() }
    adoptStarted(now: now)
    let due = vacancies.filter { $0.at <= now }.map(\.slot)
    guard !due.isEmpty, !isClosing else { return }
    vacancies.removeAll { $0.at <= now }
    start(due, now: now)
  }

  /// A job's deadline has passed: what waits fails, and what runs is asked to stop.
  private func expire(_ job: EngineJob, now: UInt64) {
    // What is done counts, whether or not anybody has looked.
    _ = pump(isLast: true)
    guard job.expiry != nil else { return }
    job.isExpired = true
    var finished = 0
    for span in job.dropQueue() {
      for local in span.range { job.deliver(.stopped(.deadline), index: span.base + local) }
    }
    for case let worker? in workers
    where worker.state != .leaving && worker.chunks.contains(where: { $0.job === job }) {
      _ = takeBackWaiting(of: worker)
      do { finished += try stopUnwanted(worker, now: now) } catch { condemn(worker, error) }
    }
    touched.add(job)
    settle(finished)
  }

  /// The task at the head is past its limit, unless its result is there and nobody has looked.
  func enforceLimit(_ worker: EngineWorker, _ limit: UInt64, now: UInt64) {
    guard worker.state == .ready, !worker.isDead else { return }
    let late = worker.expected
    var finished = 0
    do {
      finished = try receive(from: worker, now: now)
      if worker.expected == late, worker.inFlight > 0 {
        if worker.hasCrashed {
          // Maybe only since we looked. Its backtrace has its time, too; this one comes to no end.
          if now >= worker.limitEnds(limit, now: now) { worker.kill(nil) }
        } else if worker.hasBegunHead {
          finished += try stopHead(of: worker, .timeLimit, now: now)
        } else if worker.awaitsDecision {
          worker.kill(nil)  // not even a word of it
        } else {
          _ = takeBackWaiting(of: worker)
          // It does not even begin; another one will. Without a barrier (`decideRevocation`) nothing could be taken back:
          // then what it has not begun goes to others once it is dead (`bury`).
          if !worker.awaitsDecision, !worker.hasBegunAny { worker.kill(nil) }
        }
      }
    } catch { condemn(worker, error) }
    settle(finished)
  }

  /// Kills a worker whose task was asked to stop in time, unless its result is there and nobody has looked.
  private func killUnlessOver(_ worker: EngineWorker, _ reason: StopReason, now: UInt64) {
    guard !worker.isDead else { return }
    let finished: Int
    do { finished = try receive(from: worker, now: now) } catch { return condemn(worker, error) }
    // Nothing waits behind the task (`stopHead`), so nothing is begun if it ends before the kill reaches it. Only where
    // the kernel refuses the barrier for taking tasks back, the next one may be, and share its fate.
    if let stop = worker.stop, stop.sequence == worker.expected { worker.kill(reason) }
    settle(finished)
  }

  /// Asks the task at the head of a worker to stop, unless it has ended. What waits behind it is taken back first: a
  /// kill, should it come to that, ends the whole worker, and must meet nobody else. Returns how many tasks were found
  /// finished.
  func stopHead(
    of worker: EngineWorker, _ reason: StopReason, now: UInt64
  ) throws(ChannelCorruption) -> Int {
    let head = worker.expected
    _ = takeBackWaiting(of: worker)
    // What the worker has begun is settled now, and what it did before that is here.
    let finished = try receive(from: worker, now: now)
    if worker.expected == head, worker.inFlight > 0, let job = worker.headJob {
      worker.askToStop(reason, killAt: now.addingClamped(job.options.grace))
    }
    return finished
  }

  /// Asks the task that a worker is at to stop if its job was cancelled, or is past its deadline. Returns how many were
  /// found finished.
  func stopUnwanted(_ worker: EngineWorker, now: UInt64) throws(ChannelCorruption) -> Int {
    var finished = 0
    while let job = worker.headJob, job.isUnwanted, worker.stop == nil {
      finished += try stopHead(of: worker, job.isCancelled ? .cancelled : .deadline, now: now)
    }
    return finished
  }

  func takeBackWaiting(of worker: EngineWorker) -> Int {
    let count = worker.revoke()
    if count > 0 { for job in active { list(job) } }
    return count
  }

  /// After tasks were found finished, or taken back: what they printed goes out before their results.
  func settle(_ finished: Int) {
    if finished > 0 { look(at: quiet, timeout: 0) }
    schedule()
    announce()
  }

  /// Has workers let go of functions that no call can use any more.
  private func forgetUnused() {
    var moved = false
    for case let worker? in workers {
      do {
        // Nobody else may look after what is being streamed to it: whoever wanted that can have given up.
        if worker.state == .ready, try worker.pushOutgoing() { moved = true }
        if try !worker.forgetUnused() { unused.postponed() }
      } catch { condemn(worker, error) }
    }
    if moved { schedule() }
  }

  // MARK: The end

  /// Ends the pool: no new tasks, those given may finish for `limit`, then everything is ended.
  ///
  /// Returns when no process is left; in bounded time after `limit`, whatever the workers do. Of several at a time
  /// the shortest limit counts, and all wait.
  package func shutDown(within limit: UInt64) {
    enter()
    if isStale { return lock.unlock() }
    let end = apus_now().addingReportingOverflow(limit)
    let closesBefore = closesAt
    closesAt = min(closesBefore ?? .max, end.overflow ? .max : end.partialValue)
    if closesBefore == nil {
      closingThread = pthread_self()
      output.whileWaiting { close(isGraceful: limit > 0) }
      closingThread = nil
    }
    // An observer's call, on a thread that can't wait for its own end.
    let isOurs = [engineThread, closingThread].contains {
      $0.map { pthread_equal($0, pthread_self()) != 0 } ?? false
    }
    unlockAndTell()
    // With its descriptors lost the thread may sleep for ever.
    if !isOurs, !hasLostDescriptors {
      engineThreadEnded.wait()
      engineThreadEnded.signal()  // for the next one that waits
    } else if closesBefore != nil {
      return
    }
    output.end()
    if closesBefore == nil, output.loss != 0 { warnOfLostOutput() }
    if configuration.memoryLimit != nil { MemoryGroup.removeLeftovers() }
  }

  private func warnOfLostOutput() {
    let text =
      "some of what workers of \(configuration.name) printed could not be written: \(String(cString: strerror(output.loss)))"
    configuration.events.publish(Event(.warning, from: eventSource, text: text))
    StandardStreams.warn(text)
  }

  /// Whether it was shut down, and no worker is left.
  package var hasEnded: Bool { entered { isClosed } }

  private func close(isGraceful: Bool) {
    if isGraceful {
      driveBounded(until: { closesAt! }) { active.allSatisfy { $0.isComplete || $0.isCancelled } }
      endInGoodOrder()
    }
    isEnding = true
    for case let worker? in workers where worker.state != .leaving { worker.kill(nil) }
    problem = problem ?? .closed
    failEverything(.closed)
    // `exit` runs what bodies registered with `atexit`; it gets a quarter of a second.
    let endOfExit = apus_now() &+ 250_000_000
    driveBounded(until: { endOfExit }) { hasNoWorkers }
    killAll()
    // Not even a kill is sure to be quick (a process in an uninterruptible wait), so this is bounded as well.
    let endOfKill = apus_now() &+ 2_000_000_000
    driveBounded(until: { endOfKill }) { hasNoWorkers }
    starter.end()
    isClosed = true
    poke.ring()
  }

  /// Exit hooks have what is left of the pool's grace, and a quarter of a second at least. A worker that is in its start hook
  /// may end that first.
  private func endInGoodOrder() {
    let least = apus_now() &+ 250_000_000
    isEnding = true
    if configuration.exitHook != nil {
      driveBounded(until: { max(closesAt!, least) }) { workers.allSatisfy { $0?.state != .preparing } }
      // One that has nothing left to do may still have to say which tasks it gave back.
      let answered = apus_now() &+ 250_000_000
      driveBounded(until: { answered }) {
        workers.allSatisfy { $0.map { !$0.isRevoking || $0.inFlight > 0 } ?? true }
      }
    }
    for case let worker? in workers where worker.hasNothing || worker.state == .standby { dismiss(worker) }
    guard configuration.exitHook != nil else { return }
    driveBounded(until: { max(closesAt!, least) }) { workers.allSatisfy { $0?.state != .finishing } }
    for case let worker? in workers where worker.state == .finishing {
      worker.hookFailure = "its exit hook had not returned when the pool's grace was over, so it was killed"
    }
  }

  private var hasNoWorkers: Bool { starting == 0 && workers.allSatisfy { $0 == nil } }

  func tellToStop(_ worker: EngineWorker) {
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
      enter()
      if goesOn { continue }
      waitUnlocked(on: quiet, min(end &- now, 1_000_000))
      enforceLimits(now: apus_now())
      announce()
    }
  }
}

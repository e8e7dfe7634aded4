import ApusSystem
import CApus
import Glibc
import Synchronization

extension PoolEngine {
  /// Blocks until the job's caller has something to do: results, arguments to encode, or the end.
  package func wait(for job: EngineJob) { _ = wait(for: job, until: .max) }

  /// The same, or until a moment of the monotonic clock: false then. For callers that have to look at something else from
  /// time to time, as an interpreter does at its signals.
  package func wait(for job: EngineJob, until end: UInt64) -> Bool {
    var isSignalled = false
    output.whileWaiting { isSignalled = waitDriving(for: job, until: end) }
    return isSignalled
  }

  private func waitDriving(for job: EngineJob, until end: UInt64) -> Bool {
    enter()
    job.waiter = .blocking
    let isOver = { job.isSignalled || (end != .max && apus_now() >= end) }
    while !isOver() {
      if driver == nil {
        (driver, driverEnds) = (job, end)
        drive(until: isOver)
        (driver, driverEnds) = (nil, .max)
      } else {
        follow(job, until: end)
      }
    }
    job.waiter = .none
    // Also as a follower: the one that was woken to drive next may find that it needs not wait any more.
    if driver == nil { handOver() }
    let isSignalled = job.isSignalled
    unlockAndTell()
    return isSignalled
  }

  /// Suspends until the job's caller has something to do. A cancelled task cancels the job.
  package func suspend(for job: EngineJob) async {
    if Task.isCancelled { return cancel(job) }
    await withTaskCancellationHandler {
      await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
        enter()
        if job.isSignalled {
          lock.unlock()
          return continuation.resume()
        }
        job.waiter = .continuation(continuation)
        suspended += 1
        callEngineThread()
        unlockAndTell()
      }
    } onCancel: {
      cancel(job)
    }
  }

  /// Drives for a few microseconds, and says whether the job's caller has something to do by then: a short task is
  /// over sooner than two changes of thread, to the engine's and back, would take. Not longer, because this may be
  /// a thread of the cooperative pool.
  package func isSoon(_ job: EngineJob) -> Bool {
    enter()
    if driver == nil {
      driver = job
      drive(yieldingFor: 10_000, thenSleep: false) { job.isSignalled }
      driver = nil
      handOver()
    }
    let isSignalled = job.isSignalled
    unlockAndTell()
    return isSignalled
  }

  /// Looks after the pool until `isDone`. Called with the lock, which is free while nothing happens.
  func drive(
    yieldingFor limit: UInt64 = 50_000, thenSleep: Bool = true, asEngineThread: Bool = false,
    until isDone: () -> Bool
  ) {
    var backoff = Backoff()
    while !isDone() {
      if pump() {
        backoff = Backoff()
        letIn()
        continue
      }
      // The engine thread may find that a caller drives by now, who is to let it in. For none but those that have suspended:
      // a direct call would give up for it.
      let isAnnounced = asEngineThread && suspended > 0
      unlockAndTell()
      let goesOn = backoff.pause(yieldingFor: limit)
      if isAnnounced { enter() } else { lock.lock() }
      if goesOn { continue }
      guard thenSleep else { return }
      if rebalance() {
        backoff = Backoff()
        continue
      }
      if !isDone() { sleepUntilNews(asEngineThread) }
      backoff = Backoff()
    }
  }

  /// Another thread drives: sleeps until this job is told, or the driver leaves.
  private func follow(_ job: EngineJob, until end: UInt64) {
    followers.append(job)
    let wake = job.wakeWord()
    wake.pointee.store(0, ordering: .relaxed)
    unlockAndTell()
    var backoff = Backoff()
    while wake.pointee.load(ordering: .acquiring) == 0 {
      if backoff.pause() { continue }
      let left = end == .max ? -1 : Int64(clamping: end.subtractingClamped(apus_now()))
      if left == 0 { break }
      apus_futex_wait(wake, 0, left)
    }
    enter()
    followers.removeAll { $0 === job }
  }

  private func wakeFollower(_ job: EngineJob) {
    guard let wake = job.wake else { return }
    wake.pointee.store(1, ordering: .releasing)
    apus_futex_wake(wake, 1)
  }

  /// The driver leaves: the next one to drive is a follower, or else the engine thread.
  private func handOver() {
    if let next = followers.first { return wakeFollower(next) }
    if needsDriver || needsSupervision { callEngineThread() }
  }

  /// Whether something must happen in time although nobody waits: a grace ends, a worker is to be started.
  private var needsSupervision: Bool { nextDeadline(now: 0) != nil }

  /// Tells callers what has happened to their jobs.
  func announce() {
    if !waitingForRoom.isEmpty { giveRoom(now: 0) }
    touched.takeAll { job in
      if !job.endings.isEmpty, job.isOver {
        suspended -= 1
        ended += job.endings
        job.endings = []
      }
      guard job.isSignalled else { return }
      switch job.waiter {
      case .none: break
      case .continuation(let continuation):
        job.waiter = .none
        suspended -= 1
        resumable.append(continuation)
      case .blocking:
        if job !== driver {
          wakeFollower(job)
        } else if sleepers > 0 {
          doorbell.ring()  // another thread found out; the driver may be asleep
        }
      }
    }
  }

  // MARK: One look

  /// Takes what the workers have given and hands out what they can take. True if anything happened.
  ///
  /// - Parameter isLast: Whether the caller sleeps if nothing has.
  func pump(isLast: Bool = false) -> Bool {
    ledger.lookForListeners()
    var finished = 0
    var isNews = false
    var now: UInt64 = 0
    if distant != nil { isNews = takeDistantNews() }
    // One that was killed for what it is or was not may still tell something, ready for tasks even: too late.
    for case let worker? in workers
    where worker.state != .leaving && worker.corruption == nil && worker.hasNews(isLast: isLast) {
      if now == 0 { now = apus_now() }
      isNews = true
      do {
        if worker.state == .starting { try becomeReady(worker, now: now) }
        finished += try receive(from: worker, now: now)
        _ = try worker.pushOutgoing()
        if worker.hook != nil { try checkHook(of: worker, now: now) }
        if configuration.tasksPerWorker != nil { recycle(worker, now: now) }
        if worker.checkRevocation() > 0 { for job in active { list(job) } }
        // A task that could not be taken back in time from a job that was cancelled.
        if worker.headJob?.isUnwanted == true { finished += try stopUnwanted(worker, now: now) }
      } catch { condemn(worker, error) }
    }
    guard isNews else { return false }
    if now == 0 { now = apus_now() }
    // What a task printed was in the pipe before its result could be seen: it goes out before the result.
    if finished > 0 { look(at: quiet, timeout: 0) }
    schedule()
    announce()
    if now >= nextLimitCheck { enforceLimits(now: now) }
    return true
  }

  // MARK: Sleeping

  private func sleepUntilNews(_ isEngineThread: Bool) {
    let isSure = armWorkers()
    if pump(isLast: true) { return disarmWorkers() }
    sleepers += 1
    let longest = isSure ? longestSleep : Channel.unsureSleep
    let now = apus_now()
    let own = isEngineThread ? .max : driverEnds.subtractingClamped(now)
    let timeout = min(nextDeadline(now: now) ?? .max, longest, own)
    if isEngineThread { isEngineThreadAsleep = true }
    waitUnlocked(on: busy, timeout)
    if isEngineThread { wakeUp() }
    sleepers -= 1
    if sleepers > 0 {
      armWorkers()
      // What has woken us is silenced, and need not have woken the others; we may leave now, because one of them drives.
      _ = pump(isLast: true)
    } else {
      disarmWorkers()
    }
    enforceLimits(now: apus_now())
    announce()
  }

  /// Has the workers ring when something happens. False if one may not see that in time, because the kernel lets us have
  /// no barrier (any more).
  @discardableResult
  private func armWorkers() -> Bool {
    for case let worker? in workers { worker.requestWakeUp() }
    // Pairs with the workers' plain stores and loads: see `Channel.gate`.
    return Channel.order { workers.allSatisfy { $0?.channel.workerFences ?? true } }
  }

  private func disarmWorkers() {
    guard sleepers == 0 else { return }
    for case let worker? in workers {
      worker.channel.wakeUpRequest.pointee.store(0, ordering: .relaxed)
      worker.openGate()
    }
  }

  /// Waits with the lock free, then deals with what woke us.
  func waitUnlocked(on poller: Poller, _ timeout: UInt64?) {
    unlockAndTell()
    var tags: [UInt64] = []
    let isThere = poller.wait(timeout, into: &tags)
    enter()
    if !isThere || !hasItsDescriptors { loseDescriptors() }
    for tag in tags { handle(tag) }
  }

  func look(at poller: Poller, timeout: UInt64?) {
    var timeout = timeout
    // As many as there are, however few the kernel tells at a time. Not for ever: some may be ready again.
    for _ in 0..<(2 * workers.count / Poller.most + 1) {
      var tags: [UInt64] = []
      if !poller.wait(timeout, into: &tags) { loseDescriptors() }
      for tag in tags { handle(tag) }
      if tags.count < Poller.most { return }
      timeout = 0
    }
  }

  private func handle(_ tag: UInt64) {
    let slot = Int(tag & 0xffff_ffff)
    switch tag & ~0xffff_ffff {
    case Tag.doorbell: doorbell.silence()
    case Tag.poke: break  // the engine thread silences it: taken by a driver, the call would be lost
    case Tag.quiet: look(at: quiet, timeout: 0)
    case Tag.output, Tag.errors: relays.forward(tag)
    case Tag.distant: _ = takeDistantNews()
    case Tag.death: if let worker = workers[slot] { checkDeath(worker) }
    default: break
    }
  }

  // MARK: The engine thread

  /// Has the engine thread look again: somebody suspends, or something is to happen at a certain time that it may
  /// not know of.
  func callEngineThread() {
    guard isEngineThreadAsleep else { return }
    isEngineThreadAsleep = false
    if !poke.ring() { loseDescriptors() }
  }

  private func wakeUp() {
    isEngineThreadAsleep = false
    poke.silence()
  }

  /// Whether there is something to do for the engine thread: callers that have suspended or wait for room, or workers that
  /// are on their way or at a hook, which tell it by the doorbell.
  private var needsDriver: Bool {
    suspended > 0 || !waitingForRoom.isEmpty || workers.contains { $0?.state == .starting || $0?.hook != nil }
  }

  /// Drives for callers that suspend, and watches over an idle pool.
  func serve() {
    lock.lock()
    engineThread = pthread_self()
    while !isClosed {
      if driver == nil, needsDriver {
        drive(asEngineThread: true) { driver != nil || !needsDriver || isClosed }
        // A caller that awaits one call after the other comes back in a moment: meet it awake.
        var backoff = Backoff()
        while driver == nil, !needsDriver, !isClosed {
          unlockAndTell()
          let goesOn = backoff.pause()
          lock.lock()
          if !goesOn { break }
        }
        continue
      }
      isEngineThreadAsleep = true
      waitUnlocked(on: quiet, nextDeadline(now: apus_now()))
      wakeUp()
      enforceLimits(now: apus_now())
      _ = rebalance()
      announce()
    }
    unlockAndTell()
    engineThreadEnded.signal()
  }
}

import ApusSystem
import ApusWire
import CApus
import Glibc
import Synchronization

extension PoolEngine {
  // MARK: Starting

  private func isDistant(_ slot: Int) -> Bool { distant != nil && slot >= firstDistant }

  /// Starts the first workers; throws if none could be. They are there when it returns, unless a template forks them.
  func startAll() throws(ProcessError) {
    let now = apus_now()
    let slots = Array(0..<configuration.workers)
    // A template may import for long first.
    if configuration.template != nil { return start(slots, now: now) }
    let children = adoptAll(starter.startNow(slots.filter { !isDistant($0) }), now: now)
    let failures = children + adoptAll(startDistant(slots.filter(isDistant)), now: now)
    if let first = failures.first, failures.count == configuration.workers { throw first }
  }

  /// Has workers started for slots; those that can't be are tried again later.
  func start(_ slots: [Int], now: UInt64) {
    awaited.formUnion(slots)
    for slot in slots where !isDistant(slot) {
      starting += 1
      starter.start(slot)
    }
    adoptAll(startDistant(slots.filter(isDistant)), now: now)
  }

  /// Takes in the workers that have been started meanwhile.
  func adoptStarted(now: UInt64) {
    guard starting > 0 else { return }
    adopt(starter.take(), now: now)
  }

  func adopt(_ started: [WorkerStarter.Started], now: UInt64) {
    starting -= started.count
    adoptAll(started, now: now)
    // The pool has been ended, or given up, meanwhile.
    if problem != nil { for (slot, _) in started { workers[slot]?.kill(nil) } }
  }

  private typealias Started = (slot: Int, result: Result<(any WorkerProcess, Channel), ProcessError>)

  private func startDistant(_ slots: [Int]) -> [Started] {
    slots.map { slot in
      (slot, Result { () throws(ProcessError) in try distant!.start(slot - firstDistant) })
    }
  }

  @discardableResult
  private func adoptAll(_ started: [WorkerStarter.Started], now: UInt64) -> [ProcessError] {
    adoptAll(started.map { ($0.slot, $0.result.map { ($0, $0.channel) }) }, now: now)
  }

  /// Returns why workers could not be had.
  @discardableResult
  private func adoptAll(_ started: [Started], now: UInt64) -> [ProcessError] {
    var failures: [ProcessError] = []
    for (slot, result) in started {
      do {
        let (process, channel) = try result.get()
        awaited.remove(slot)
        try adopt(process, channel, slot: slot, now: now)
      } catch {
        failures.append(error)
        // A pool that was given up meanwhile tries no more.
        if problem == nil { postpone(slot, to: now + retryDelay()) }
      }
    }
    if let last = failures.last {
      failedStarts += 1
      note(Event(.warning, from: eventSource, text: last.description))
      if failedStarts >= configuration.startUpAttempts * configuration.workers, starting == 0,
        workers.allSatisfy({ $0 == nil })
      {
        breakDown(.spawnFailed(last))
      }
    }
    return failures
  }

  private func adopt(_ process: any WorkerProcess, _ channel: Channel, slot: Int, now: UInt64)
    throws(ProcessError)
  {
    let worker = EngineWorker(
      slot: slot, place: slot % configuration.workers, process: process, channel: channel, touched: touched,
      ledger: ledger,
      shared: shared, unused: unused, tasks: configuration.tasksPerWorker, now: now)
    channel.place.pointee.store(UInt64(worker.place), ordering: .relaxed)
    if let lines = worker.lines { channel.outputToken.pointee.store(lines.token, ordering: .relaxed) }
    channel.seed.pointee.store(nextSeed(of: worker.place), ordering: .relaxed)
    do { try watch(worker) } catch {
      worker.process.kill()
      if let child = worker.child { _ = child.process.wait() }
      throw error
    }
    worker.openGate()
    workers[slot] = worker
    note(Event(.workerStarted, from: eventSource, worker: worker.place, process: process.pid))
    guard sleepers > 0 else { return }
    // Threads that sleep count on being rung when it is ready, which it may be already.
    worker.requestWakeUp()
    let isSure = Channel.order { channel.workerFences }
    if !isSure || worker.isReady { doorbell.ring() }
  }

  private func watch(_ worker: EngineWorker) throws(ProcessError) {
    if let death = worker.process.deathNotice { try quiet.add(death, tag: Tag.death | UInt64(worker.slot)) }
    guard let child = worker.child else { return }
    try relays.add(child.output, tag: Tag.output | UInt64(worker.slot))
    try relays.add(child.errors, tag: Tag.errors | UInt64(worker.slot))
  }

  /// 10 ms after the first failure in a row, then twice as long each time, up to a second.
  private func retryDelay() -> UInt64 { 10_000_000 << UInt64(min(failedStarts, 7)) }

  private func postpone(_ slot: Int, to time: UInt64) {
    awaited.insert(slot)
    vacancies.append((slot, time))
  }

  /// Another one for each worker, or what a task draws would come again after its worker was replaced. The first at each
  /// place is the same in each run of a pool with the same seed.
  private func nextSeed(of place: Int) -> UInt64 {
    var chance = SystemRandomNumberGenerator()
    guard let seed = configuration.seed else { return chance.next() }
    generations[place] += 1
    return SplitMix.mixed(SplitMix.mixed(seed &+ UInt64(place)) &+ generations[place])
  }

  func becomeReady(_ worker: EngineWorker, now: UInt64) throws(ChannelCorruption) {
    if configuration.checksIdentity {
      for (part, word) in CodeReference.programIdentity().enumerated()
      where worker.channel.identity(part).pointee.load(ordering: .relaxed) != word {
        worker.corruption = "it runs a different build of the program"
        worker.kill(nil)
        return
      }
    }
    worker.openGate()  // or shut it for good: only now it is known whether the worker has to fence
    try prepare(worker, now: now)
  }

  /// A worker takes tasks from here on, or once the one before it has done its number.
  func open(_ worker: EngineWorker, now: UInt64) {
    worker.state = hasPredecessor(worker) ? .standby : .ready
    worker.wasReady = true
    worker.mark = now
    // Not before: what the start hook holds is the worker's own.
    if let limit = configuration.memoryLimit {
      worker.channel.memoryLimit.pointee.store(limit, ordering: .relaxed)
      worker.flags |= TaskHeader.Flag.memory
      // Both sides go by this one word: what the worker hands back late is not looked for before.
      if worker.handsBackLate { worker.flags |= TaskHeader.Flag.grouped }
    }
    failedStarts = 0
    note(Event(.workerReady, from: eventSource, worker: worker.place, process: worker.process.pid))
  }

  // MARK: Dying

  /// A worker wrote what no sound worker writes: it can't be trusted with anything more.
  func condemn(_ worker: EngineWorker, _ error: ChannelCorruption) {
    worker.corruption = error.detail
    worker.kill(nil)
  }

  func checkDeath(_ worker: EngineWorker) {
    let (process, slot) = (worker.process, UInt64(worker.slot))
    let found = try? quiet.ending(of: process.deathNotice, tag: Tag.death | slot) { process.reap() }
    guard let ending = found else { return }
    // It ended because our end was closed, and not by us: that is the cause to tell, not the signal.
    if let child = worker.child, !worker.isKilled, !child.hasConnection { return loseDescriptors() }
    let status = ending.status
    workers[worker.slot] = nil
    worker.isDead = true
    if worker.isFull, !worker.isRetired, worker.corruption == nil { retire(worker) }
    // What it finished before it died counts.
    let now = apus_now()
    if worker.corruption == nil {
      do {
        _ = try worker.receive(now: now)
        settleBreaches(by: worker)
        // What was taken back from a distant one it has passed, and did not begin.
        worker.checkRevocation()
      } catch { worker.corruption = error.detail }
    }
    if let child = worker.child {
      relays.finish(child.output, tag: Tag.output | slot)
      relays.finish(child.errors, tag: Tag.errors | slot)
    }
    judgeMemory(of: worker, status)
    let loss = WorkerLoss(
      process: process.pid, status: status, standardError: process.standardError,
      reason: worker.killedIn == worker.expected ? worker.killedFor : nil,
      corruption: worker.corruption ?? ending.problem, place: process.place,
      adviceOnEndless: ending.goesOn ? distant?.adviceOnEndless : nil, code: ending.code,
      part: worker.channel.part.pointee.load(ordering: .relaxed), pool: configuration.name,
      worker: worker.place, hook: worker.hook?.hook.name,
      hookFailure: worker.hookFailure, memory: worker.memory)
    note(
      Event(
        .workerExited, from: eventSource, worker: worker.place, process: worker.process.pid, status: status,
        text: worker.corruption))
    worker.endBusy(now)
    retiredTime[worker.place] += worker.busyTime
    if worker.hook == nil {
      bury(worker, loss)
    } else if worker.wasReady {
      warn(of: worker, loss.story)
    } else {
      warnOfStart(worker, loss.story)
    }
    replace(worker, loss, now: now)
    scheduleAgain()
    announce()
  }

  /// Settles what the dead worker had been given: the task it was in fails or is tried again, those that it
  /// had not begun go elsewhere.
  private func bury(_ worker: EngineWorker, _ loss: WorkerLoss) {
    let progress = worker.channel.progress.pointee.load(ordering: .acquiring)
    // A worker that ran wild may have run anything that it was given.
    let through = worker.expected &+ (worker.handsBackLate ? 1 : 0)
    let isSuspect = worker.corruption != nil || progress / 2 > through
    var guilty = isSuspect ? worker.inFlight : progress > worker.expected &* 2 ? 1 : 0
    while var chunk = worker.chunks.popFirst() {
      touched.add(chunk.job)
      let lost = min(guilty, chunk.span.range.count)
      guilty -= lost
      chunk.job.inFlight -= chunk.span.range.count
      for local in chunk.span.range.prefix(lost) { lose(chunk, local, loss) }
      chunk.span.range = chunk.span.range.dropFirst(lost)
      // Prepended one after the other they would be reversed; the order among them does not matter.
      if !chunk.span.range.isEmpty { chunk.job.requeue(chunk.span) }
    }
    worker.inFlight = 0
    if let job = worker.stillToldFor { blame(job, loss) }
  }

  /// How many workers may die when they are told of a function, or of a shared value, before its call fails. Somebody
  /// else may have killed them.
  private static let deathsWhenTold = 8

  /// A worker died when it was told of what a job's tasks need. If no worker can have that, the tasks fail.
  private func blame(_ job: EngineJob, _ loss: WorkerLoss) {
    job.deathsWhenTold += 1
    guard loss.reason == .memoryLimit || job.deathsWhenTold >= Self.deathsWhenTold, !job.isUnwanted else { return }
    for span in job.dropQueue() {
      for local in span.range { job.deliver(.lost(loss), index: span.base + local) }
    }
    touched.add(job)
  }

  private func lose(_ chunk: EngineWorker.Chunk, _ local: Int, _ loss: WorkerLoss) {
    let job = chunk.job
    let index = chunk.span.base + local
    let task = InputSpan(batch: chunk.span.batch, range: local..<local + 1, base: chunk.span.base)
    if loss.reason == .memoryLimit, triesAlone(job, task) { return }
    if loss.reason == nil, !job.isUnwanted, job.attempts[index, default: 0] < job.options.retries {
      job.attempts[index, default: 0] += 1
      ledger.counts.retried += 1
      note(
        Event(
          .taskRetried, from: eventSource, worker: loss.worker, process: loss.process, call: job.number,
          task: index))
      return job.requeue(task)
    }
    job.deliver(.lost(loss), index: index)
  }

  private func replace(_ worker: EngineWorker, _ loss: WorkerLoss, now: UInt64) {
    guard !isEnding, problem == nil else { return }
    if worker.isRetired {
      if hasSuccessor(worker) { promoteSuccessor(of: worker) } else { start([worker.slot], now: now) }
      return
    }
    guard !isClosing else { return promoteSuccessor(of: worker) }
    var delay: UInt64 = 0
    if !worker.wasReady {
      failedStarts += 1
      delay = retryDelay()
      // The others may still do the work; with none ready, it is a matter of how often each place was tried.
      if failedStarts >= configuration.startUpAttempts * configuration.workers,
        workers.allSatisfy({ $0?.state != .ready })
      {
        return breakDown(.startUpFailed(attempts: failedStarts, loss))
      }
    }
    restarts += 1
    if let limit = configuration.restarts, restarts > limit {
      if hasSuccessor(worker) { return promoteSuccessor(of: worker) }
      abandoned.insert(worker.place)
      if workers.allSatisfy({ $0 == nil }), vacancies.isEmpty, starting == 0 {
        breakDown(.restartsExhausted(limit, loss))
      }
      return
    }
    if hasSuccessor(worker) {
      promoteSuccessor(of: worker)
    } else if delay == 0 {
      start([worker.slot], now: now)
    } else {
      return postpone(worker.slot, to: now + delay)
    }
    note(Event(.workerReplaced, from: eventSource, worker: worker.place, process: loss.process))
  }

  /// There will be no workers any more: everything that waits for one fails.
  func breakDown(_ problem: PoolProblem) {
    guard self.problem == nil else { return }
    self.problem = problem
    vacancies.removeAll()
    awaited.removeAll()
    killAll()
    failEverything(problem)
  }

  func killAll() {
    for case let worker? in workers { worker.kill(nil) }
  }

  /// Every task that has no result yet fails.
  func failEverything(_ problem: PoolProblem) {
    for case let worker? in workers {
      while let chunk = worker.chunks.popFirst() {
        chunk.job.inFlight -= chunk.span.range.count
        for local in chunk.span.range {
          chunk.job.deliver(.unserved(problem), index: chunk.span.base + local)
        }
      }
      worker.inFlight = 0
    }
    _ = servesAlone()
    queue.removeAll()
    for queue in keyed { queue.removeAll() }
    keyedCount = 0
    for job in active {
      job.isListed = false
      while let span = job.queue.popFirst() {
        for local in span.range { job.deliver(.unserved(problem), index: span.base + local) }
      }
      job.queued = 0
      touched.add(job)
    }
    announce()
  }
}

package import ApusSystem
import ApusWire
import CApus
import Glibc
import Synchronization

/// A pool of worker processes that moves bytes: the engine under the typed pools.
///
/// Whoever waits drives: a thread that blocks in `wait` looks after all workers while it waits (the leader;
/// others that wait are followers until it leaves). For callers that suspend instead of blocking, and for an
/// idle pool, one engine thread does the same. Every step is made under one lock, and no code of a user runs
/// under it.
package final class PoolEngine: @unchecked Sendable {
  // Sound: everything mutable is guarded by `lock`. Hence no run-time check of exclusivity (see `EngineWorker`).

  package let configuration: EngineConfiguration
  let lock = ForkLock()
  let eventSource: Event.Source

  // MARK: Workers

  /// Workers that are no children of ours: those of the slots from `firstDistant` on.
  let distant: (any DistantWorkers)?
  let firstDistant: Int
  @exclusivity(unchecked) var workers: [EngineWorker?]
  let starter: WorkerStarter
  /// How many it is at.
  @exclusivity(unchecked) var starting = 0
  @exclusivity(unchecked) var restarts = 0
  /// How many workers have done their number of tasks.
  @exclusivity(unchecked) var recycled = 0
  @exclusivity(unchecked) var failedStarts = 0
  /// Slots that want a worker, and when to try.
  @exclusivity(unchecked) var vacancies: [(slot: Int, at: UInt64)] = []
  /// Places whose workers are not replaced any more.
  @exclusivity(unchecked) var abandoned: Set<Int> = []
  /// Places of whose start hook was told that it failed.
  @exclusivity(unchecked) var warned: Set<Int> = []
  /// Slots for which a worker is being started, or waits for its time in `vacancies`.
  @exclusivity(unchecked) var awaited: Set<Int> = []
  /// Nanoseconds that workers which have ended were at tasks, by place.
  var retiredTime: [UInt64]
  /// How many workers were started at each place, for their seeds.
  var generations: [UInt64]
  /// Why there can be no more workers.
  @exclusivity(unchecked) var problem: PoolProblem?
  /// When tasks that were given are ended, once the pool is being shut down.
  @exclusivity(unchecked) var closesAt: UInt64?
  var isClosing: Bool { closesAt != nil }
  /// Tasks that were given have ended, or have no more time: workers end.
  @exclusivity(unchecked) var isEnding = false
  @exclusivity(unchecked) var isClosed = false
  /// This process is a fork of the one whose pool it is.
  @exclusivity(unchecked) var isStale = false
  /// Another part of the program has closed descriptors of ours.
  @exclusivity(unchecked) var hasLostDescriptors = false
  /// When to look for them again.
  @exclusivity(unchecked) var nextLook: UInt64 = 0

  // MARK: Jobs

  /// Jobs with queued tasks, served in turn.
  let queue = Queue<EngineJob>()
  /// The same for those whose tasks are meant for one worker, by its place.
  let keyed: [Queue<EngineJob>]
  @exclusivity(unchecked) var keyedCount = 0
  @exclusivity(unchecked) var active: [EngineJob] = []
  let ledger: TaskLedger
  /// Tasks that exceeded the memory limit and are tried once more when nothing else runs, and the worker of the one that is.
  @exclusivity(unchecked) var alone: [(job: EngineJob, span: InputSpan)] = []
  @exclusivity(unchecked) var runningAlone: EngineWorker?
  @exclusivity(unchecked) var lastMemoryLook: UInt64 = 0
  /// How many jobs in `active` have a deadline.
  @exclusivity(unchecked) var deadlines = 0
  /// What a chunk should take of a worker's time: long enough that handing it over costs nothing beside it, short
  /// enough that the workers end together. And how much work may lie in a worker's ring: more would only wait there
  /// while another worker is idle. Nanoseconds.
  let pace: (chunk: Double, backlog: Double)
  /// How many callers have suspended: for them the engine thread must drive.
  @exclusivity(unchecked) var suspended = 0
  /// Jobs that may have something to tell since the last look.
  let touched = TouchedJobs()
  let shared = SharedValues()
  /// Posted when workers keep a function that no call can use any more.
  let unused: UnusedNotice

  /// How many callers are at the door: who holds the lock for a direct call lets them in.
  var arrivals: UnsafeMutablePointer<Atomic<Int>> { lock.waiting }
  /// How often a direct call looks for its result: some microseconds. Not at all on a single processor, where the
  /// worker could not run meanwhile, or if all workers are distant.
  let directSpins: Int

  // MARK: Waiting

  /// Deaths, output, requests to the engine thread.
  let quiet: Poller
  /// The same and the workers' doorbell.
  let busy: Poller
  let doorbell: Bell
  let poke: Bell
  @exclusivity(unchecked) var driver: EngineJob?
  /// How long it waits at most.
  @exclusivity(unchecked) var driverEnds = UInt64.max
  @exclusivity(unchecked) var followers: [EngineJob] = []
  /// Threads that sleep until a worker does something.
  @exclusivity(unchecked) var sleepers = 0
  /// Where the workers' output goes.
  package let output: OutputRoute
  /// It, in `quiet`.
  @exclusivity(unchecked) var relays: RelaySet
  @exclusivity(unchecked) var isEngineThreadAsleep = false
  let engineThreadEnded = NativeSemaphore()
  @exclusivity(unchecked) var engineThread: pthread_t?
  @exclusivity(unchecked) var closingThread: pthread_t?
  @exclusivity(unchecked) var nextLimitCheck: UInt64 = 0
  /// Resumed once the lock is free: resuming takes a lock of the task's that a cancellation holds while it comes to
  /// `cancel` here.
  @exclusivity(unchecked) var resumable: [UnsafeContinuation<Void, Never>] = []
  @exclusivity(unchecked) var ended: [@Sendable () -> Void] = []
  /// Callers that wait until there is room in the queue.
  @exclusivity(unchecked) var waitingForRoom: [RoomWaiter] = []

  enum Tag {
    static let doorbell: UInt64 = 1 << 32
    static let poke: UInt64 = 2 << 32
    static let quiet: UInt64 = 3 << 32
    static let death: UInt64 = 4 << 32
    static let output: UInt64 = 5 << 32
    static let errors: UInt64 = 6 << 32
    static let distant: UInt64 = 7 << 32
  }

  /// Starts the workers. They are on their way when this returns; tasks may be given at once.
  package init(_ configuration: EngineConfiguration) throws(ProcessError) {
    self.configuration = configuration
    distant = configuration.distant
    firstDistant = configuration.workers - (distant?.count ?? 0)
    // For a distant worker, handing over takes as long as some chunks of a near one.
    pace = distant == nil ? (100_000, 300_000) : (1_000_000, 3_000_000)
    // Not at all where nobody can answer meanwhile.
    directSpins = Processors.allowedByAffinity() > 1 && firstDistant > 0 ? 400 : 0
    eventSource = Event.Source(configuration.name)
    ledger = TaskLedger(configuration.events, eventSource)
    retiredTime = Array(repeating: 0, count: configuration.workers)
    keyed = (0..<configuration.workers).map { _ in Queue() }
    // With two slots for each, a worker's successor gets ready beside it.
    workers = Array(
      repeating: nil, count: configuration.workers * (configuration.tasksPerWorker == nil ? 1 : 2))
    generations = Array(repeating: 0, count: configuration.workers)
    (quiet, busy) = (try Poller(), try Poller())
    relays = RelaySet(quiet)
    (doorbell, poke) = (try Bell(), try Bell())
    unused = UnusedNotice(ringing: poke)
    try quiet.add(poke.descriptor.number, tag: Tag.poke)
    try busy.add(quiet.descriptor.number, tag: Tag.quiet)
    try busy.add(doorbell.descriptor.number, tag: Tag.doorbell)
    // Who drives takes what has come. The engine thread of an idle pool would take it and not go on with it.
    if let distant { try busy.add(distant.notice, tag: Tag.distant) }
    if configuration.memoryLimit != nil { MemoryGroup.removeLeftovers() }
    // From here on it has to be ended.
    output = try OutputRoute(
      configuration.output, label: configuration.outputLabel,
      workers: configuration.workers)
    starter = WorkerStarter(
      doorbell: doorbell, notice: poke, template: configuration.template, output: output,
      memoryLimit: configuration.memoryLimit.map(Self.kernelLimit)
    ) {
      configuration.command(ofSlot: $0)
    }
    lock.inFork = { [unowned self] in becomeStale() }
    do {
      try startAll()
      try NativeThread.start(name: "apus-engine") { [self] in serve() }
    } catch {
      lock.withLock { killAll() }
      output.end()
      throw error
    }
  }

  /// The processes of the workers that live.
  package var processIdentifiers: [Int32] {
    entered { workers.compactMap { $0?.process.pid }.filter { $0 != 0 } }
  }

  // MARK: Submitting

  /// Takes a job on.
  package func add(_ job: EngineJob) {
    enter()
    activate(job)
    unlockAndTell()
  }

  /// Takes on a job of one task. False if the queue is full.
  package func add(_ job: EngineJob, only batch: InputBatch) -> Bool {
    enter()
    defer { unlockAndTell() }
    if isFull { return false }
    job.isSingle = true
    activate(job)
    receive(batch, base: 0, job, isLast: true)
    return true
  }

  func activate(_ job: EngineJob) {
    job.isLate = isClosing
    job.activeIndex = active.count
    active.append(job)
    job.ledger = ledger
    ledger.lastCall &+= 1
    job.number = ledger.lastCall
    if job.options.endsAt != nil { deadlines += 1 }
  }

  /// Gives a job more tasks: a batch whose first has the index `base`.
  package func give(_ batch: InputBatch, base: Int, to job: EngineJob, isLast: Bool) {
    enter()
    receive(batch, base: base, job, isLast: isLast)
    unlockAndTell()
  }

  func receive(_ batch: InputBatch, base: Int, _ job: EngineJob, isLast: Bool) {
    if isLast { job.isInputClosed = true }
    ledger.lookForListeners()
    ledger.counts.submitted += batch.count
    if isClosed || problem != nil || job.isLate {
      for local in 0..<batch.count { job.deliver(.unserved(problem ?? .closed), index: base + local) }
    } else if job.isCancelled {
      ledger.counts.cancelled += batch.count
    } else if job.isExpired {
      for local in 0..<batch.count { job.deliver(.stopped(.deadline), index: base + local) }
    } else if batch.count > 0 {
      ledger.note(.taskQueued, of: job, base, batch.count)
      job.queue.append(InputSpan(batch: batch, range: 0..<batch.count, base: base))
      job.queued += batch.count
      list(job)
      schedule()
    }
    touched.add(job)
    announce()
    if job.options.timeLimit != nil || job.options.endsAt != nil || configuration.memoryLimit != nil {
      callEngineThread()
    }
  }

  /// Has the job's caller look again, whatever it waits for.
  package func nudge(_ job: EngineJob) {
    enter()
    job.isNudged = true
    touched.add(job)
    announce()
    unlockAndTell()
  }

  /// No more tasks will come.
  package func closeInput(of job: EngineJob) {
    enter()
    job.isInputClosed = true
    touched.add(job)
    announce()
    unlockAndTell()
  }

  /// How many more tasks the caller should encode now for the workers to be busy, and how many make a chunk.
  package func wanted(by job: EngineJob) -> (tasks: Int, chunk: Int) {
    entered {
      let chunk = chunkSize(job, limit: .max)
      // Two chunks a worker lie ready behind those that are in the rings.
      let ahead = 2 * min(chunk, 1 << 40) * max(1, configuration.workers)
      job.refillBelow = max(1, ahead / 2)
      return (max(0, ahead - job.queued), chunk)
    }
  }

  /// The caller has no more tasks to give until something comes back, or it is nudged.
  package func pauseInput(of job: EngineJob) {
    entered { job.refillBelow = 0 }
  }

  /// What has come back since the last time. The caller gives the emptied inbox back for reuse, and sees to it that
  /// what tasks printed is written before anybody sees their results (`settleOutput`).
  package func collect(_ job: EngineJob, into inbox: inout EngineJob.Inbox) {
    inbox.removeAll()
    inbox.bytes.removeAll(keepingCapacity: inbox.bytes.count < 1 << 20)
    entered {
      swap(&inbox, &job.inbox)
      job.hasBadNews = false
      job.isNudged = false
    }
  }

  /// What tasks printed is written before their results are seen. Blocks until it is, or for a moment only if nobody
  /// reads it.
  package func settleOutput() { output.settle() }

  /// Whether it is written already. Cheaper to ask than to await what need not suspend.
  package var hasSettledOutput: Bool { output.isSettled }

  /// The same as `settleOutput` without blocking the caller's thread, which may be one of the few cooperative ones.
  package func outputSettled() async { await output.settled() }

  /// What has come back to a job that is complete: nothing is added after that.
  package func inbox(of job: EngineJob) -> EngineJob.Inbox {
    entered { job.inbox }
  }

  /// Has `body` called when the job is complete or cancelled, by whichever thread finds out; not if it is already:
  /// then the answer is false.
  package func whenOver(_ job: EngineJob, _ body: @escaping @Sendable () -> Void) -> Bool {
    enter()
    defer { unlockAndTell() }
    if job.isOver { return false }
    if job.endings.isEmpty { suspended += 1 }
    job.endings.append(body)
    callEngineThread()
    return true
  }

  package enum Stage { case queued, begun, over }

  /// How far a job of one task is. A task that waits in a worker's ring is not begun.
  package func stage(of job: EngineJob) -> Stage {
    entered {
      if job.isComplete || job.isCancelled { return .over }
      guard job.inFlight > 0 else { return .queued }
      let isBegun = workers.contains { worker in
        worker?.chunks.contains { $0.job === job && worker!.hasBegun($0) } ?? false
      }
      return isBegun ? .begun : .queued
    }
  }

  package func isCancelled(_ job: EngineJob) -> Bool { entered { job.isCancelled } }

  /// Whether nothing more will come.
  package func isComplete(_ job: EngineJob) -> Bool {
    entered { (job.isComplete || job.isCancelled) && job.inbox.deliveries.isEmpty }
  }

  /// The caller needs no more results. Tasks that wait are dropped, those that run are asked to stop, and
  /// their workers killed if they do not within the job's grace.
  package func cancel(_ job: EngineJob) {
    enter()
    drop(job)
    leaveToEngineThread()
  }

  private func drop(_ job: EngineJob) {
    guard job.activeIndex != nil, !job.isCancelled, !job.isComplete else { return }
    // What is done counts, whether or not anybody has looked.
    _ = pump(isLast: true)
    if !job.isComplete {
      job.isCancelled = true
      for span in job.dropQueue() {
        ledger.counts.cancelled += span.range.count
        ledger.note(.taskCancelled, of: job, span.firstIndex, span.range.count)
      }
      _ = servesAlone()
      let now = apus_now()
      var finished = 0
      for case let worker? in workers
      where worker.state != .leaving && worker.chunks.contains(where: { $0.job === job }) {
        _ = worker.revoke()
        // What the worker is at, if it is the job's.
        do { finished += try stopUnwanted(worker, now: now) } catch { condemn(worker, error) }
      }
      if finished > 0 { look(at: quiet, timeout: 0) }
      scheduleAgain()
      touched.add(job)
      announce()
      callEngineThread()  // it sees to the grace
    }
  }

  /// Forgets a job whose caller is through with it.
  package func remove(_ job: EngineJob) {
    enter()
    drop(job)
    if let index = job.activeIndex {
      job.activeIndex = nil
      if job.options.endsAt != nil { deadlines -= 1 }
      let last = active.removeLast()
      if last !== job {
        active[index] = last
        last.activeIndex = index
      }
    }
    unlockAndTell()
  }

  func list(_ job: EngineJob) {
    guard !job.isListed, job.queued > 0 else { return }
    job.isListed = true
    guard let place = job.options.place else { return queue.append(job) }
    keyed[place].append(job)
    keyedCount += 1
  }
}

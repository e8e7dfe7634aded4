import ApusSystem
import ApusWire
import CApus

extension PoolEngine {
  private static let backlogChunks = 64

  /// How long a worker may take to begin its only task while another one is idle. It may just be waking up.
  static let patience: UInt64 = 2_000_000  // ns

  /// How long a worker that is being told of a function may take in none of it until others are told as well. It may
  /// be stopped, or in a task that turned out to be long.
  static let definingPatience: UInt64 = 20_000_000  // ns

  /// How many jobs that are not for a worker now are passed over at a time: of thousands that wait for the same function,
  /// each look would cost all. Who comes after these has a turn at the next look, since they are last in the queue then.
  private static let longestLook = 64

  var hasIdleWorker: Bool { runningAlone == nil && alone.isEmpty && workers.contains { $0?.isIdle == true } }

  /// How many tasks of a job make its next chunk.
  func chunkSize(_ job: EngineJob, limit: Int) -> Int {
    switch job.options.chunking {
    case .fixed(let count): return min(limit, max(1, count))
    case .automatic:
      guard let time = job.taskTime else { return 1 }
      var size = Int(min(pace.chunk / time, 1e9))
      size = min(size, job.lastChunk * 4)
      // Towards the end the chunks shrink, so that no worker is left with a long one.
      if job.isInputClosed { size = min(size, job.queued / (2 * max(1, configuration.workers))) }
      return min(limit, max(1, size))
    }
  }

  /// Hands queued tasks to workers that can take them, one chunk a worker in turn. True if any was given.
  @discardableResult
  func schedule() -> Bool {
    if configuration.tasksPerWorker != nil { recycleAll() }
    if runningAlone != nil || !alone.isEmpty, servesAlone() { return false }
    var gaveAny = false
    var gave = true
    while gave, hasQueued {
      gave = false
      for case let worker? in workers where worker.state == .ready && worker.outgoing == nil {
        guard let job = nextJob(for: worker) else { continue }
        do { gave = try give(job, to: worker) || gave } catch { condemn(worker, error) }
        if !hasQueued { return true }
      }
      if gave { gaveAny = true }
    }
    return gaveAny
  }

  /// Whether any job waits.
  var hasQueued: Bool { !queue.isEmpty || keyedCount > 0 }

  /// The job whose turn it is, if this worker should have a task of it now.
  private func nextJob(for worker: EngineWorker) -> EngineJob? {
    // One that has not yet passed what was taken back from it is stopped, or deep in a long task.
    guard !worker.isRevoking, worker.tasksLeft > 0 else { return nil }
    guard keyedCount > 0 else { return nextOfAll(for: worker) }
    // In turn, so that neither kind waits for the other.
    if worker.hadKeyed, let job = nextOfAll(for: worker) { return job }
    return nextKeyed(for: worker) ?? nextOfAll(for: worker)
  }

  /// The first job of those that only this worker may do. One chunk at a time: no other worker could take back what waits
  /// behind a long task.
  private func nextKeyed(for worker: EngineWorker) -> EngineJob? {
    guard worker.inFlight == 0 else { return nil }
    for place in keyed.indices where !keyed[place].isEmpty && serves(worker, place) {
      while let job = keyed[place].first {
        if job.queued > 0 { return job }
        unlist(job)
      }
    }
    return nil
  }

  /// Takes the first job out of its queue.
  private func unlist(_ job: EngineJob) {
    if let place = job.options.place {
      _ = keyed[place].popFirst()
      keyedCount -= 1
    } else {
      _ = queue.popFirst()
    }
    job.isListed = false
  }

  /// The first job in the queue of all workers whose turn it is.
  private func nextOfAll(for worker: EngineWorker) -> EngineJob? {
    var told: (function: UInt64, definers: Int)?
    var looks = min(queue.count, Self.longestLook)
    while looks > 0, let job = queue.first {
      if job.queued > 0 {
        let function = job.function.id
        if worker.knows(function) { return canTake(job, worker) ? job : nil }
        if told?.function != function { told = (function, definers(of: function)) }
        if job.queued > told!.definers { return canTake(job, worker) ? job : nil }
      }
      // Workers that are being told of the function take a task each as soon as they know it. Until then it is the
      // others' turn.
      _ = queue.popFirst()
      if job.queued > 0 {
        queue.append(job)
        looks -= 1
      } else {
        job.isListed = false
      }
    }
    return nil
  }

  /// Whether a worker should have a task of a job behind those that it has.
  private func canTake(_ job: EngineJob, _ worker: EngineWorker) -> Bool {
    if worker.inFlight == 0 { return true }
    let size = chunkSize(job, limit: job.queued)
    // A distant worker would be idle until it hears of the next task.
    if worker.distant != nil, worker.stop == nil, worker.inFlight <= size { return true }
    // Behind another task only if both are known to be short, so that a long one is never queued behind a
    // long one while a worker is idle. What turns out to be long after all is taken back.
    guard worker.stop == nil, worker.inFlight < Self.backlogChunks * size,
      let time = job.taskTime, time < pace.chunk
    else { return false }
    // The tasks at both ends stand for those between them.
    guard let first = worker.chunks.first?.job.taskTime, let last = worker.chunks.last?.job.taskTime else {
      return false
    }
    return Double(worker.inFlight) * max(first, last) < pace.backlog
  }

  /// Whether a worker does the tasks that are meant for a place: its own, or one that is given up.
  func serves(_ worker: EngineWorker, _ place: Int) -> Bool {
    if worker.place == place { return true }
    guard abandoned.contains(place) else { return false }
    var next = place
    repeat { next = (next + 1) % configuration.workers } while abandoned.contains(next) && next != place
    return worker.place == next
  }

  /// How many workers are being told of a function and take it in.
  private func definers(of function: UInt64) -> Int {
    var count = 0
    for case let worker? in workers {
      guard let defining = worker.defining, defining.function == function else { continue }
      if apus_now() &- defining.movedAt < Self.definingPatience { count += 1 }
    }
    return count
  }

  /// How many messages of `size` tasks may follow each other to one worker.
  private func burst(of size: Int, _ job: EngineJob, _ worker: EngineWorker) -> Int {
    guard case .fixed = job.options.chunking, let time = job.taskTime else { return 1 }
    let allowed = (pace.backlog / time - Double(worker.inFlight)) / Double(size)
    let share = job.queued / (2 * configuration.workers * size)
    return max(
      1,
      min(
        Int(min(allowed, 1e6)), share, Self.backlogChunks - worker.inFlight / size, worker.tasksLeft / size))
  }

  private func give(_ job: EngineJob, to worker: EngineWorker) throws(ChannelCorruption) -> Bool {
    let span = job.queue.first!
    let size = chunkSize(job, limit: min(span.range.count, worker.tasksLeft))
    let sent = try worker.send(span, count: size, messages: burst(of: size, job, worker), job: job)
    guard sent > 0 else { return false }
    ledger.note(.taskStarted, of: job, span.firstIndex, sent, by: worker)
    if sent >= size { job.lastChunk = max(job.lastChunk, size) }
    if configuration.tasksPerWorker != nil { recycle(worker, now: apus_now()) }
    job.inFlight += sent
    job.queued -= sent
    if sent == span.range.count {
      _ = job.queue.popFirst()
    } else {
      job.queue[0].range = span.range.lowerBound + sent..<span.range.upperBound
    }
    // The next job's turn.
    unlist(job)
    list(job)
    worker.hadKeyed = job.options.place != nil
    return true
  }

  /// If a worker is idle and nothing queued is for it, takes back what other workers have not begun: what waits in
  /// their rings behind tasks that turned out to be long, and the only task of one that does not get going (it may be
  /// stopped). True if anything was given to a worker.
  func rebalance() -> Bool {
    guard hasIdleWorker else { return false }
    // What waited for workers that were being told of its function need not wait any more.
    if hasQueued, schedule() { return true }
    let now = apus_now()
    var taken = 0
    for case let worker? in workers
    where worker.inFlight > 1 || worker.hasOnlyWaiting && now >= worker.mark &+ Self.patience {
      // Nobody else may do those.
      if worker.chunks.last?.job.options.place != nil { continue }
      taken += worker.revoke()
    }
    guard taken > 0 else { return false }
    scheduleAgain()
    return true
  }

  /// Hands out after tasks may have come back to the queues of any jobs.
  func scheduleAgain() {
    for job in active { list(job) }
    schedule()
  }
}

import CApus

extension PoolEngine {
  private static let backlogChunks = 64

  /// How long a worker may take to begin its only task while another one is idle. It may just be waking up.
  static let patience: UInt64 = 2_000_000  // ns

  var hasIdleWorker: Bool { workers.contains { $0?.isIdle == true && $0?.isRevoking == false } }

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

  /// Hands queued tasks to workers that can take them, one chunk a worker in turn.
  func schedule() {
    var gave = true
    while gave, !queue.isEmpty {
      gave = false
      for case let worker? in workers where worker.state == .ready && worker.outgoing == nil {
        guard let job = nextJob(for: worker) else { continue }
        do { gave = try give(job, to: worker) || gave } catch { condemn(worker, error) }
        if queue.isEmpty { return }
      }
    }
  }

  /// The job whose turn it is, if this worker should have a task of it now.
  private func nextJob(for worker: EngineWorker) -> EngineJob? {
    while let job = queue.first, job.queued == 0 {
      _ = queue.popFirst()
      job.isListed = false
    }
    guard let job = queue.first else { return nil }
    // Workers that are being told of the function take a task each as soon as they know it.
    if !worker.functions.contains(job.function.id), job.queued <= definers(of: job.function) { return nil }
    // One that has not yet passed what was taken back from it is stopped, or deep in a long task.
    guard !worker.isRevoking else { return nil }
    if worker.inFlight == 0 { return job }
    let size = chunkSize(job, limit: job.queued)
    // A distant worker would be idle until it hears of the next task.
    if worker.distant != nil, worker.stop == nil, worker.inFlight <= size { return job }
    // Behind another task only if both are known to be short, so that a long one is never queued behind a
    // long one while a worker is idle. What turns out to be long after all is taken back.
    guard worker.stop == nil, worker.inFlight < Self.backlogChunks * size,
      let time = job.taskTime, time < pace.chunk
    else { return nil }
    // The tasks at both ends stand for those between them.
    guard let first = worker.chunks.first?.job.taskTime, let last = worker.chunks.last?.job.taskTime,
      Double(worker.inFlight) * max(first, last) < pace.backlog
    else { return nil }
    return job
  }

  private func definers(of function: FunctionDefinition) -> Int {
    workers.count { $0?.defining == function.id }
  }

  /// How many messages of `size` tasks may follow each other to one worker.
  private func burst(of size: Int, _ job: EngineJob, _ worker: EngineWorker) -> Int {
    guard case .fixed = job.options.chunking, let time = job.taskTime else { return 1 }
    let allowed = (pace.backlog / time - Double(worker.inFlight)) / Double(size)
    let share = job.queued / (2 * configuration.workers * size)
    return max(1, min(Int(min(allowed, 1e6)), share, Self.backlogChunks - worker.inFlight / size))
  }

  private func give(_ job: EngineJob, to worker: EngineWorker) throws(ChannelCorruption) -> Bool {
    let span = job.queue.first!
    let size = chunkSize(job, limit: span.range.count)
    let sent = try worker.send(span, count: size, messages: burst(of: size, job, worker), job: job)
    guard sent > 0 else { return false }
    if sent >= size { job.lastChunk = max(job.lastChunk, size) }
    job.inFlight += sent
    job.queued -= sent
    if sent == span.range.count {
      _ = job.queue.popFirst()
    } else {
      job.queue.first!.range = span.range.lowerBound + sent..<span.range.upperBound
    }
    // The next job's turn.
    _ = queue.popFirst()
    job.isListed = false
    list(job)
    return true
  }

  /// If a worker is idle and nothing is queued, takes back what other workers have not begun: what waits in their
  /// rings behind tasks that turned out to be long, and the only task of one that does not get going (it may be
  /// stopped). True if anything was.
  func rebalance() -> Bool {
    guard queue.isEmpty, hasIdleWorker else { return false }
    let now = apus_now()
    var taken = 0
    for case let worker? in workers
    where worker.inFlight > 1 || worker.hasOnlyWaiting && now >= worker.mark &+ Self.patience {
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

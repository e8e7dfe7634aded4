import ApusSystem
import ApusWire

// What a worker calls before its first task, and after its last one.
extension PoolEngine {
  /// A worker that is there, and of the right build: it takes tasks once its start hook has returned.
  func prepare(_ worker: EngineWorker, now: UInt64) throws(ChannelCorruption) {
    guard let hook = configuration.startHook else { return open(worker, now: now) }
    if isEnding { return worker.kill(nil) }
    worker.state = .preparing
    try worker.call(hook)
  }

  /// Ends a worker that does nothing: once its exit hook has returned, if there is one.
  func dismiss(_ worker: EngineWorker) {
    guard let hook = configuration.exitHook else { return tellToStop(worker) }
    worker.state = .finishing
    do { try worker.call(hook) } catch { condemn(worker, error) }
  }

  /// Goes on with a worker whose hook has returned, or thrown.
  func checkHook(of worker: EngineWorker, now: UInt64) throws(ChannelCorruption) {
    guard let call = worker.hook else { return }
    try worker.sendHook()
    guard let delivery = call.job.inbox.deliveries.first else { return }
    worker.hook = nil
    var problem: String?
    if case .failure(let range) = delivery.content {
      let bytes = UnsafeRawBufferPointer(rebasing: call.job.inbox.bytes.bytes[range])
      problem = "its \(call.hook.name) hook failed: \(FailureReport.summary(of: bytes))"
    }
    guard worker.state == .preparing else {
      if let problem { warn(of: worker, problem) }
      return tellToStop(worker)
    }
    guard let problem else { return open(worker, now: now) }
    worker.hookFailure = problem
    warnOfStart(worker, problem)
    worker.kill(nil)
  }

  /// A worker takes too long to become ready, or to end.
  func giveUp(_ worker: EngineWorker, after limit: UInt64) {
    let time = Duration.nanoseconds(limit)
    switch worker.state {
    // It was to end, and hangs in what it has registered with `atexit`.
    case .leaving, .ready: break
    case .preparing: worker.hookFailure = "its start hook had not returned after \(time)"
    case .finishing: worker.hookFailure = "its exit hook had not returned after \(time)"
    default: worker.corruption = "it was not ready after \(time)"
    }
    worker.kill(nil)
  }

  /// A start hook has failed. If others go on without this worker no call throws that: it is told once a place.
  func warnOfStart(_ worker: EngineWorker, _ problem: String) {
    guard !isEnding, self.problem == nil, workers.contains(where: { $0?.state == .ready }),
      warned.insert(worker.place).inserted
    else {
      return
    }
    warn(of: worker, problem)
  }

  /// Something that nobody's call throws, but that a person should know.
  func warn(of worker: EngineWorker, _ text: String) {
    let text = "worker \(worker.place) of \(configuration.name), process \(worker.process.pid): \(text)"
    note(Event(.warning, from: eventSource, worker: worker.place, process: worker.process.pid, text: text))
    StandardStreams.warn(text)
  }
}

extension EngineWorker {
  /// Has the worker call a hook. `PoolEngine.checkHook` hears of the end.
  func call(_ hook: WorkerHook) throws(ChannelCorruption) {
    self.hook = HookCall(hook)
    try sendHook()
  }

  /// Sends the call of the hook, unless that is done: its function may have to be streamed first.
  func sendHook() throws(ChannelCorruption) {
    guard let call = hook, !call.isSent else { return }
    guard try send(call.span, count: 1, messages: 1, job: call.job) == 1 else { return }
    call.job.inFlight = 1
    hook?.isSent = true
  }
}

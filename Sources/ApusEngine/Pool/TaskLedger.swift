import ApusSystem

/// What has become of a pool's tasks, and what is to be told of it. Under the engine's lock.
///
/// Every task that was taken on is in one of four places: in a job's queue, in a worker's ring, or counted here as over in
/// one of three ways. So the counters add up at any time.
final class TaskLedger {
  struct Counts {
    var submitted = 0
    var succeeded = 0
    var failed = 0
    var cancelled = 0
    var retried = 0
  }

  @exclusivity(unchecked) var counts = Counts()
  /// Tasks in the jobs' queues.
  @exclusivity(unchecked) var queued = 0
  /// Told to observers once the lock is free.
  @exclusivity(unchecked) var news: [Event] = []
  @exclusivity(unchecked) var lastCall: UInt64 = 0
  private let stream: EventStream
  private let source: Event.Source

  init(_ stream: EventStream, _ source: Event.Source) { (self.stream, self.source) = (stream, source) }

  @inline(__always)
  func note(_ event: @autoclosure () -> Event) {
    if stream.isObserved { news.append(event()) }
  }

  func note(
    _ kind: @autoclosure () -> Event.Kind, of job: EngineJob, _ first: Int, _ count: Int,
    by worker: EngineWorker? = nil
  ) {
    guard stream.isObserved else { return }
    news.append(
      Event(
        kind(), from: source, worker: worker?.place, process: worker?.process.pid, call: job.number,
        task: first,
        count: count))
  }

  /// Tasks of a job are over.
  @inline(__always)
  func settle(
    _ content: Delivery.Content, of job: EngineJob, index: Int, count: Int, by worker: EngineWorker?
  ) {
    if !job.isCancelled {
      switch content {
      case .placed, .value, .large:
        counts.succeeded += count
        return note(.taskFinished, of: job, index, count, by: worker)
      default: break
      }
    }
    settleOther(content, of: job, index: index, count: count, by: worker)
  }

  @inline(never)
  private func settleOther(
    _ content: Delivery.Content, of job: EngineJob, index: Int, count: Int, by worker: EngineWorker?
  ) {
    if job.isCancelled || content.isCancelled {
      counts.cancelled += count
      return note(.taskCancelled, of: job, index, count, by: worker)
    }
    counts.failed += count
    guard stream.isObserved else { return }
    var event = Event(
      .taskFailed, from: source, worker: worker?.place, process: worker?.process.pid, call: job.number,
      task: index,
      count: count)
    if case .lost(let loss) = content {
      (event.worker, event.process, event.status) = (loss.worker, loss.process, loss.status)
    }
    news.append(event)
  }
}

extension Delivery.Content {
  var isCancelled: Bool {
    switch self {
    case .stopped(.cancelled): true
    case .lost(let loss): loss.reason == .cancelled
    default: false
    }
  }
}

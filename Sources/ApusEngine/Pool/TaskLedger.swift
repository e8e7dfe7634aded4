import ApusSystem
import ApusWire

/// What has become of a pool's tasks, and what is to be told of it. Under the engine's lock.
///
/// Every task that was taken on is in one of five places: in a job's queue, in a worker's ring, or counted here as over in
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
  /// Those of them that are calls of one task.
  @exclusivity(unchecked) var singles = 0
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

  @inline(__always)
  func note(
    _ kind: @autoclosure () -> Event.Kind, of job: EngineJob, _ first: Int, _ count: Int,
    by worker: EngineWorker? = nil
  ) {
    if isObserved { tell(kind(), of: job, first, count, by: worker) }
  }

  /// What goes on with the event before makes one with it: an event takes longer than a small task.
  @inline(never)
  private func tell(
    _ kind: Event.Kind, of job: EngineJob, _ first: Int, _ count: Int, by worker: EngineWorker?
  ) {
    let (place, process) = (worker?.place, worker?.process.pid)
    let last = news.count - 1
    if last >= 0, news[last].call == job.number, news[last].worker == place, news[last].process == process,
      let task = news[last].task, let before = news[last].count, task + before == first,
      news[last].kind == kind
    {
      news[last].count = before + count
      return
    }
    news.append(
      Event(
        kind, from: source, worker: place, process: process, call: job.number, task: first, count: count))
  }

  /// Whether anybody listened when the engine last looked.
  @exclusivity(unchecked) private(set) var isObserved = false

  /// Before each look at the workers, and each call: cheaper than to ask for each task.
  @inline(__always)
  func lookForListeners() { isObserved = stream.isObserved }

  /// Tasks of a job have their values.
  @inline(__always)
  func succeed(_ job: EngineJob, _ index: Int, _ count: Int, by worker: EngineWorker?) {
    counts.succeeded += count
    note(.taskFinished, of: job, index, count, by: worker)
  }

  /// Tasks of a job are over in another way.
  @inline(never)
  func settle(
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
    switch content {
    case .lost(let loss):
      (event.worker, event.process, event.status) = (loss.worker, loss.process, loss.status)
      event.text = loss.reason.map { "\($0)" }
    case .failure(let range):
      event.text = FailureReport.summary(of: UnsafeRawBufferPointer(rebasing: job.inbox.bytes.bytes[range]))
    case .stopped(let reason): event.text = "\(reason)"
    default: break
    }
    news.append(event)
  }
}

extension Delivery.Content {
  @inline(__always)
  var isValue: Bool {
    switch self {
    case .placed, .value, .large: true
    case .failure, .lost, .stopped, .unserved: false
    }
  }

  var isCancelled: Bool {
    switch self {
    case .stopped(.cancelled): true
    case .lost(let loss): loss.reason == .cancelled
    default: false
    }
  }
}

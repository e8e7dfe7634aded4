import ApusSystem
package import ApusWire
import Synchronization

/// One call of a pool as its engine sees it: a function, bytes to call it on, and an inbox.
///
/// The caller encodes arguments and decodes results, on its own thread; between the two there are only bytes.
package final class EngineJob: @unchecked Sendable {
  // Sound: everything mutable is guarded by the engine's lock.

  package enum Chunking: Sendable {
    case automatic
    case fixed(Int)
  }

  /// How a job differs from the usual.
  package struct Options: Sendable {
    package var chunking = Chunking.automatic
    /// Nanoseconds that one task may take.
    package var timeLimit: UInt64?
    /// Nanoseconds between asking a task to stop and killing its worker.
    package var grace: UInt64 = 100_000_000
    /// How often a task is tried again after its worker died.
    package var retries = 0
    /// When the whole job must be done, by the monotonic clock.
    package var endsAt: UInt64?
    /// Which worker's tasks these are, from 0 on; nil: any worker's.
    package var place: Int?
    /// Whether the caller wants to know of every result at once, not only when there is much to do.
    package var isEager = true
    package init() {}
  }

  package let function: FunctionDefinition
  package let options: Options
  /// Where values of plain memory go, one after the other by index.
  let destination: UnsafeMutableRawPointer?
  /// Whose memory that is: workers' results may come until the last chunk is forgotten, whatever the caller does.
  private let destinationOwner: AnyObject?

  // MARK: Tasks

  let queue = Queue<InputSpan>()
  @exclusivity(unchecked) var queued = 0 {
    didSet {
      ledger?.queued += queued - oldValue
      if isSingle { ledger?.singles += queued - oldValue }
    }
  }
  /// Whether it is a call of one task, for which there must be room in the queue.
  @exclusivity(unchecked) var isSingle = false
  @exclusivity(unchecked) var inFlight = 0
  /// No more arguments will come.
  @exclusivity(unchecked) var isInputClosed = false
  @exclusivity(unchecked) var isCancelled = false
  /// Of the engine that has it; nil for the call of a hook, which is no task.
  @exclusivity(unchecked) var ledger: TaskLedger?
  /// Which of the engine's calls it is.
  @exclusivity(unchecked) var number: UInt64 = 0
  /// It came when the pool was being shut down.
  var isLate = false
  /// Whether its deadline has passed.
  @exclusivity(unchecked) var isExpired = false
  /// When that is, if it is still to come and matters.
  var expiry: UInt64? { isUnwanted || isComplete ? nil : options.endsAt }
  /// Whether the engine has it in its list of jobs with queued tasks.
  @exclusivity(unchecked) var isListed = false
  /// How many of its tasks are to be tried alone, and which were.
  @exclusivity(unchecked) var alone = 0
  var triedAlone: Set<Int> = []
  /// Tries of tasks whose workers died, by index.
  @exclusivity(unchecked) var attempts: [Int: Int] = [:]

  /// How many workers have died of what they were told for it, as it seems.
  var deathsWhenTold = 0
  /// Shared values that its tasks may refer to, and nobody else holds.
  var shared: [FunctionDefinition] = []

  /// Nanoseconds that a task takes, as far as is known.
  @exclusivity(unchecked) var taskTime: Double?
  @exclusivity(unchecked) var lastChunk = 1

  // MARK: Results

  package struct Inbox {
    package private(set) var deliveries: [Delivery] = []
    package var bytes: ByteBuffer
    /// The index after the last delivery, if its values are in the job's destination.
    private var placedEnd: Int?

    package init(capacity: Int = 64) { bytes = ByteBuffer(capacity: capacity) }

    @inline(__always)
    mutating func add(_ content: Delivery.Content, index: Int, count: Int) {
      guard case .placed = content else {
        placedEnd = nil
        return deliveries.append(Delivery(index: index, count: count, content: content))
      }
      if placedEnd == index {
        deliveries[deliveries.count - 1].count += count
      } else {
        deliveries.append(Delivery(index: index, count: count, content: .placed))
      }
      placedEnd = index + count
    }

    mutating func removeAll() {
      deliveries.removeAll(keepingCapacity: true)
      placedEnd = nil
    }
  }
  @exclusivity(unchecked) var inbox = Inbox()
  @exclusivity(unchecked) var hasBadNews = false
  /// Somebody else has something for the caller.
  @exclusivity(unchecked) var isNudged = false

  // MARK: Waiting

  enum Waiter {
    case none
    case blocking
    case continuation(UnsafeContinuation<Void, Never>)
  }
  @exclusivity(unchecked) var waiter = Waiter.none
  /// Called when it is over, whoever waits for it.
  @exclusivity(unchecked) var endings: [@Sendable () -> Void] = []
  /// Fewer queued tasks than this: the caller should encode more.
  @exclusivity(unchecked) var refillBelow = 0
  /// Its place in the engine's list of jobs.
  @exclusivity(unchecked) var activeIndex: Int?
  @exclusivity(unchecked) var isTouched = false
  /// Where a blocked caller sleeps while another thread drives the pool; see `PoolEngine.wait`.
  private(set) var wake: SharedWord?

  package init(
    _ function: FunctionDefinition, options: Options = Options(), destination: UnsafeMutableRawPointer? = nil,
    destinationOwner: AnyObject? = nil
  ) {
    (self.function, self.options, self.destination) = (function, options, destination)
    self.destinationOwner = destinationOwner
  }

  deinit { wake?.deallocate() }

  /// The word to sleep on, made when it is first needed: most callers never follow another.
  func wakeWord() -> SharedWord {
    if let wake { return wake }
    let word = SharedWord.allocate(capacity: 1)
    word.initialize(to: Atomic(0))
    wake = word
    return word
  }

  /// Whether nobody waits for its tasks any more.
  @inline(__always) var isUnwanted: Bool { isCancelled || isExpired }

  var isOver: Bool { isComplete || isCancelled }
  var isComplete: Bool { isInputClosed && queued == 0 && inFlight == 0 && alone == 0 }

  /// Whether the caller has something to do.
  var isSignalled: Bool {
    if isComplete || isCancelled || hasBadNews || isNudged { return true }
    if !isInputClosed, queued < refillBelow { return true }
    if inbox.deliveries.isEmpty { return false }
    return options.isEager || inbox.bytes.count > 128 << 10 || inbox.deliveries.count > 1024
  }

  // MARK: Measuring

  /// `count` tasks took `elapsed` nanoseconds of a worker.
  func measured(_ count: Int, elapsed: UInt64) {
    let sample = Double(max(elapsed, 1)) / Double(count)
    // Down at once, up slowly: the first tasks pay for start-up, and one slow task among quick ones must not
    // make the chunks small for good. Too long a chunk costs little: idle workers take its rest back.
    taskTime = taskTime.map { $0 > sample ? sample : $0 * 0.75 + sample * 0.25 } ?? sample
  }

  // MARK: Delivering

  func deliver(_ content: Delivery.Content, index: Int, count: Int = 1, by worker: EngineWorker? = nil) {
    // Values are counted by `EngineWorker.finish`, where it costs least.
    if isCancelled || !content.isValue {
      ledger?.settle(content, of: self, index: index, count: count, by: worker)
    }
    guard !isCancelled else { return }
    inbox.add(content, index: index, count: count)
    switch content {
    case .failure, .lost, .stopped, .unserved: hasBadNews = true
    case .placed, .value, .large: break
    }
  }

  /// Copies bytes into the inbox's buffer.
  func store(_ bytes: UnsafeRawBufferPointer) -> Range<Int> {
    let start = inbox.bytes.count
    inbox.bytes.append(contentsOf: bytes)
    return start..<start + bytes.count
  }

  /// How often a task was tried before, as a record has room for it.
  func tries(of index: Int) -> UInt8 { UInt8(clamping: attempts[index, default: 0]) }

  /// Tasks that were with a worker wait again.
  func requeue(_ span: InputSpan) {
    if isCancelled {
      ledger?.counts.cancelled += span.range.count
      ledger?.note(.taskCancelled, of: self, span.firstIndex, span.range.count)
      return
    }
    if isExpired {
      for local in span.range { deliver(.stopped(.deadline), index: span.base + local) }
      return
    }
    queue.prepend(span)
    queued += span.range.count
  }

  /// Drops what waits. Returns it.
  func dropQueue() -> [InputSpan] {
    var dropped: [InputSpan] = []
    while let span = queue.popFirst() { dropped.append(span) }
    queued = 0
    return dropped
  }
}

/// The jobs that something has happened to since their callers were last told.
final class TouchedJobs {
  @exclusivity(unchecked) private var jobs: [EngineJob] = []

  func add(_ job: EngineJob) {
    guard !job.isTouched else { return }
    job.isTouched = true
    jobs.append(job)
  }

  func takeAll(_ body: (EngineJob) -> Void) {
    for job in jobs {
      job.isTouched = false
      body(job)
    }
    jobs.removeAll(keepingCapacity: true)
  }
}

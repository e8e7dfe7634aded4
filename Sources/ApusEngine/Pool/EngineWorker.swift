import ApusSystem
import ApusWire
import CApus
import Synchronization

/// One worker as its engine sees it. Everything here is under the engine's lock.
///
/// `@exclusivity(unchecked)` stands where every task passes: the runtime's check for overlapping accesses
/// would be a third of what a small task costs. It is not needed. The lock keeps other threads out, and
/// within an access no code runs that could come back here.
final class EngineWorker {
  enum State {
    case starting
    /// Calls its start hook.
    case preparing
    /// Takes the place of the one before it once that has done its number of tasks.
    case standby
    case ready
    /// Calls its exit hook.
    case finishing
    /// Told to stop, or about to be replaced: gets nothing more.
    case leaving
  }

  /// Consecutive tasks of one job that were sent and are not finished yet.
  struct Chunk {
    let job: EngineJob
    var span: InputSpan
    /// The sequence number of the first of them.
    var first: UInt64

    /// Takes in the tasks that were sent next, if they continue these.
    @inline(__always)
    mutating func append(_ next: InputSpan, of job: EngineJob, from sequence: UInt64) -> Bool {
      guard self.job === job, job.attempts.isEmpty, span.batch === next.batch,
        span.range.upperBound == next.range.lowerBound,
        first + UInt64(span.range.count) == sequence
      else { return false }
      span.range = span.range.lowerBound..<next.range.upperBound
      return true
    }

    /// The first `count` are over. True if no others are left.
    @inline(__always)
    mutating func dropFirst(_ count: Int) -> Bool {
      span.range = span.range.lowerBound + count..<span.range.upperBound
      first += UInt64(count)
      return span.range.isEmpty
    }
  }

  struct OpenRun {
    /// The sequence number of its first value, and the bytes from one value to the next.
    let first: UInt64
    let stride: Int
    /// Whose values they are, and how many were taken.
    let job: EngineJob
    var taken: Int
  }

  struct WeakJob { weak let job: EngineJob? }

  /// A function with a context that the worker keeps.
  struct Context {
    let id: UInt64
    /// Nil once nobody can call the function any more.
    weak var function: FunctionDefinition?
    let isShared: Bool
  }

  let slot: Int
  /// Which of the pool's workers it is. Its successor is the same, in another slot.
  let place: Int
  let process: any WorkerProcess
  /// The same process, if it is a child of ours; and if it is on another rank.
  let child: ChildWorker?
  let distant: (any DistantProcess)?
  let channel: Channel
  /// What it prints, if somebody wants to know by which task.
  let lines: WorkerLines?
  let startedAt: UInt64
  let touched: TouchedJobs
  let ledger: TaskLedger
  @exclusivity(unchecked) var state = State.starting { didSet { stateSince = apus_now() } }
  private(set) var stateSince: UInt64
  /// The call of a hook that it is at.
  var hook: HookCall?
  /// What its start hook said as it failed.
  var hookFailure: String?
  /// What the headers of all its tasks say.
  @exclusivity(unchecked) var flags: UInt8 = 0
  /// Whether the last task it was sent was one that only it may do.
  @exclusivity(unchecked) var hadKeyed = false
  /// How many more tasks it may be sent.
  @exclusivity(unchecked) var tasksLeft: Int
  /// It has done its number of tasks, and another one is there in its place, or will be.
  var isRetired = false

  // MARK: What was sent

  @exclusivity(unchecked) var tasks: RingWriter
  let chunks = Queue<Chunk>()
  /// The job of the task at the head.
  @inline(__always) var headJob: EngineJob? { chunks.isEmpty ? nil : chunks[0].job }
  @exclusivity(unchecked) var inFlight = 0
  @exclusivity(unchecked) var nextSequence: UInt64 = 0
  /// The number of the next task that is written into the ring; ahead of `nextSequence` within `send`.
  @exclusivity(unchecked) var written: UInt64 = 0
  /// A record that is on its way through the ring, and who keeps its memory alive.
  @exclusivity(unchecked) var outgoing: (rest: GatheredBytes, owner: AnyObject)?
  /// What the worker was told of.
  @exclusivity(unchecked) private var functions: Set<UInt64> = []
  /// The one that `knows` was asked for last: most tasks are of the same function as the task before.
  @exclusivity(unchecked) private var latestFunction: UInt64?
  /// Those of them that carry a context, the oldest first.
  var contexts: [Context] = []
  /// Of the values that all workers are told of, and how many of them this one was told of, or need not be.
  let shared: SharedValues
  @exclusivity(unchecked) var knownShared = 0
  /// For which jobs it was told of functions or shared values, and the number of the first task after that.
  private var tellings: [(before: UInt64, job: WeakJob)] = []
  /// Posted when one of `contexts` can't be called any more.
  let unused: UnusedNotice?

  // MARK: What comes back

  @exclusivity(unchecked) var results: RingReader
  /// The sequence number of the next result.
  @exclusivity(unchecked) var expected: UInt64 = 0
  /// The run at the read position of which some values were taken before it was published.
  @exclusivity(unchecked) var openRun: OpenRun?
  /// A large value, or report of a failure, that is on its way.
  @exclusivity(unchecked) var incoming: (bytes: ByteBuffer, length: Int, isFailure: Bool)?
  /// When the worker began with what it is at, as far as the parent saw.
  @exclusivity(unchecked) var mark: UInt64
  /// When the engine last looked at its progress within a run.
  @exclusivity(unchecked) private var lookedInside: UInt64 = 0

  /// How many nanoseconds it was at tasks; since when it is at some.
  @exclusivity(unchecked) var busyTime: UInt64 = 0
  @exclusivity(unchecked) var busySince: UInt64 = 0
  /// When the direct call that is timed was sent.
  @exclusivity(unchecked) var directStart: UInt64 = 0

  // MARK: Asked of it

  /// The task that was asked to stop, why, and when its worker is to be killed.
  @exclusivity(unchecked) var stop: (sequence: UInt64, reason: StopReason, killAt: UInt64)?
  /// Why it was killed, if it was.
  var killedFor: StopReason?
  /// The task that it was killed in.
  var killedIn: UInt64 = 0
  var isKilled = false
  /// What it held when it was killed for that, if that was seen, and what it may hold.
  var memory: (held: UInt64?, limit: UInt64)?
  /// How many of its processes the kernel had ended for that when we looked last, and before that; and what was at the head.
  var kills: (count: Int, before: Int, head: UInt64) = (0, 0, 0)
  /// Tasks that have ended, of which the kernel had ended a process.
  @exclusivity(unchecked) var overLimit: [(job: EngineJob, span: InputSpan)] = []
  /// Whether the kernel lets it have the memory of all workers.
  var mayHaveAll = false
  /// Whether it ever took tasks.
  var wasReady = false
  /// The function whose definition is still on its way to it, and when the worker took in some of it.
  var defining: (function: UInt64, movedAt: UInt64)?
  var corruption: String?
  @exclusivity(unchecked) var isRevoking = false
  /// Asked to give tasks back, it has not answered yet.
  @exclusivity(unchecked) var awaitsDecision = false
  var isDead = false

  init(
    slot: Int, place: Int? = nil, process: any WorkerProcess, channel: Channel, touched: TouchedJobs,
    ledger: TaskLedger, shared: SharedValues = SharedValues(), unused: UnusedNotice? = nil,
    tasks limit: Int? = nil, now: UInt64
  ) {
    (self.slot, self.place, self.process, self.channel) = (slot, place ?? slot, process, channel)
    (child, distant) = (process as? ChildWorker, process as? any DistantProcess)
    lines = child?.lines
    if lines != nil { flags = TaskHeader.Flag.marked }
    (startedAt, mark, self.touched, self.shared, self.unused) = (now, now, touched, shared, unused)
    (self.ledger, stateSince, tasksLeft) = (ledger, now, limit ?? Int.max / 2)
    tasks = channel.taskWriter
    results = channel.resultReader
  }

  /// Whether it could begin a task at once: nothing else is on its way to it either.
  var isIdle: Bool { hasNothing && tasksLeft > 0 }

  /// Whether it has nothing in hand, and nothing is on its way to it.
  var hasNothing: Bool { state == .ready && inFlight == 0 && outgoing == nil && !isRevoking }

  /// Whether it says that it has kept too much memory, and ends.
  var isFull: Bool { channel.isFull.pointee.load(ordering: .relaxed) != 0 }

  /// Since when it is waited for: to become ready, or to end in its own time.
  var waitedForSince: UInt64? {
    switch state {
    case .starting: isReady ? nil : startedAt
    case .preparing: startedAt
    case .finishing: stateSince
    case .leaving: isRetired && !isKilled ? stateSince : nil
    case .ready: isFull ? mark : nil
    case .standby: nil
    }
  }

  // MARK: Functions

  /// Whether the worker has been told of a function.
  @inline(__always)
  func knows(_ function: UInt64) -> Bool {
    if function == latestFunction { return true }
    guard functions.contains(function) else { return false }
    latestFunction = function
    return true
  }

  func learn(_ function: UInt64) { functions.insert(function) }

  func unlearn(_ function: UInt64) {
    functions.remove(function)
    if latestFunction == function { latestFunction = nil }
  }

  /// Whether it has one task and has not begun it, so that the task could be taken back.
  var hasOnlyWaiting: Bool {
    state == .ready && inFlight == 1 && !isRevoking
      && channel.progress.pointee.load(ordering: .relaxed) < expected &* 2 &+ 1
  }

  /// How long results of a run that goes on may lie there.
  private static let insideInterval: UInt64 = 50_000  // ns

  /// Whether something came back since the last look. Cheap: for spinning.
  ///
  /// - Parameter isLast: Whether the caller is about to sleep, and nothing may be overlooked.
  func hasNews(isLast: Bool) -> Bool {
    guard let available = try? results.available(), available == 0 else { return true }
    if state == .starting { return isReady }
    if outgoing != nil, canPush { return true }
    if isRevoking, channel.hasPassedRevocation || isDecided { return true }
    guard inFlight > 0 else { return false }
    // A worker in a run of tasks writes its progress twice a task, and loses its cache line to each look.
    let now = apus_now()
    guard isLast || now &- lookedInside >= Self.insideInterval else { return false }
    lookedInside = now
    return channel.progress.pointee.load(ordering: .acquiring) / 2 > expected
  }

  var isReady: Bool { channel.ready.pointee.load(ordering: .acquiring) == Channel.magic }

  private var canPush: Bool {
    (try? tasks.space(atLeast: ChannelLimit.piece)) ?? Channel.ringSize >= ChannelLimit.piece
  }

  /// It has nothing to do any more.
  func endBusy(_ now: UInt64) {
    if busySince != 0, now > busySince { busyTime += now &- busySince }
    busySince = 0
  }

  /// Whether a value counts only once it is published: until then the worker may say that it does not (`MemoryWatch`).
  var handsBackLate: Bool { child?.memory != nil }

  // MARK: Asking to be woken

  /// Has the worker ring the doorbell at the next thing it does. Followed by a barrier.
  func requestWakeUp() {
    channel.wakeUpRequest.pointee.store(1, ordering: .relaxed)
    channel.gate.pointee.store(0, ordering: .releasing)
  }

  func openGate() {
    guard !isRevoking else { return }
    channel.gate.pointee.store(channel.workerFences ? 0 : .max, ordering: .relaxed)
  }

  // MARK: Stopping the task it is at

  /// When the worker is to be killed if its task has not stopped. What waits behind the task was asked back before;
  /// the answer of a worker elsewhere is waited for, but not for ever.
  var killTime: UInt64? {
    guard let stop, !isKilled else { return nil }
    return awaitsDecision ? stop.killAt.addingClamped(Self.answerTime) : stop.killAt
  }

  private static let answerTime: UInt64 = 1_000_000_000  // ns

  /// Asks the task at the head to stop. `kill` once `killTime` has passed.
  func askToStop(_ reason: StopReason, killAt: UInt64) {
    guard stop == nil, inFlight > 0 else { return }
    stop = (expected, reason, killAt)
    channel.cancelled.pointee.store(expected &+ 1, ordering: .releasing)
    process.noteCancellation()
  }

  /// Ends the process, and everything that it started. It gets nothing more.
  func kill(_ reason: StopReason?) {
    if !isKilled { (killedFor, killedIn, isKilled) = (reason, expected, true) }
    state = .leaving
    process.kill()
  }

  /// Whether the worker says that it is in the task at the head.
  var hasBegunHead: Bool { channel.progress.pointee.load(ordering: .acquiring) == expected &* 2 &+ 1 }

  /// It is told of a function, or of shared values, for a job.
  func noteTelling(of job: EngineJob) {
    let passed = channel.progress.pointee.load(ordering: .relaxed) / 2
    tellings.removeAll { $0.before < passed }
    if let last = tellings.last, last.before == nextSequence, last.job.job === job { return }
    tellings.append((nextSequence, WeakJob(job: job)))
  }

  /// The job for which it was told of what comes next, if it is done with all tasks before that, and has begun none after.
  var isToldFor: EngineJob? {
    let progress = channel.progress.pointee.load(ordering: .acquiring)
    return tellings.first { $0.before &* 2 == progress }?.job.job
  }

  /// Whether it has begun any of what it was given.
  var hasBegunAny: Bool { chunks.first.map { hasBegun($0) } ?? false }

  /// Whether it has begun the first task of a chunk, or is through with it.
  func hasBegun(_ chunk: Chunk) -> Bool {
    channel.progress.pointee.load(ordering: .relaxed) > chunk.first &* 2
  }

  /// Whether a fault has ended the task at the head, so that no limit does. Its worker says so before it makes a
  /// backtrace, which takes its time.
  var hasCrashed: Bool { channel.hasCrashedInHead }

  /// How long a backtrace may take.
  private static let backtraceLimit: UInt64 = 30_000_000_000

  /// When the time of the task at the head is over: so long after it was begun, as the worker says, if that is
  /// possible. A worker that does not begin what it was given has a second more.
  func limitEnds(_ limit: UInt64, now: UInt64) -> UInt64 {
    let more = hasCrashed ? Self.backtraceLimit : 0
    guard hasBegunHead else {
      let answer = awaitsDecision ? Self.answerTime : 0
      return (mark &+ 1_000_000_000).addingClamped(limit).addingClamped(answer).addingClamped(more)
    }
    let said = channel.begun.pointee.load(ordering: .relaxed)
    return (said > mark && said <= now ? said : mark).addingClamped(limit).addingClamped(more)
  }
}

extension UInt64 {
  func addingClamped(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  func subtractingClamped(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}

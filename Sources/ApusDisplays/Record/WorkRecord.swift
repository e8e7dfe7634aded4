import ApusSystem

/// The course of some work, as its events tell: who did what, from when to when.
struct WorkRecord: Sendable {
  struct Failure: Sendable {
    var name: String
    var (reason, output): (String, String)
  }

  /// One worker.
  struct Row: Sendable {
    var name: String
    /// When its latest process was started, until it is ready.
    fileprivate var started: UInt64?
    /// Nanoseconds: until its processes were ready, and at work.
    var (starting, working): (UInt64, UInt64) = (0, 0)
    var (tasks, processes) = (0, 0)
    /// The end of what a task printed, until it is told that it has failed.
    fileprivate var output = ""

    init(_ name: String) { self.name = name }
  }

  private(set) var rows: [Row] = []
  /// The first so many.
  private(set) var spans: [WorkSpan] = []
  private(set) var spanCount = 0
  private(set) var failures: [Failure] = []
  /// The longest first.
  private(set) var slowest: [WorkSpan] = []
  private(set) var (succeeded, failed, cancelled, triedAgain) = (0, 0, 0, 0)
  /// How many tasks took from 2^(n/2) to 2^((n+1)/2) microseconds.
  private(set) var durations = [Int](repeating: 0, count: 96)
  private(set) var (begin, end): (UInt64, UInt64)
  private var maker = SpanMaker()

  /// A page with more is no longer pleasant, and memory has an end.
  static let (mostSpans, mostFailures, mostSlow) = (20_000, 200, 20)

  init(begin: UInt64) { (self.begin, end) = (begin, begin) }

  var over: Int { succeeded + failed + cancelled }
  /// Nanoseconds, of all workers together.
  var working: UInt64 { rows.reduce(0) { $0 + $1.working } }

  mutating func note(_ event: Event) {
    end = max(end, event.time)
    let count = event.count ?? 1
    let place = row(of: event)
    let span = maker.note(event)
    if let span { add(span) }
    switch event.kind {
    case .workerStarted: if let place { noteStart(event, place) }
    case .workerReady: if let place { noteReady(event, place) }
    case .taskOutput: if let place { rows[place].output = event.text ?? "" }
    case .taskFinished: succeeded += count
    case .taskCancelled: cancelled += count
    case .taskRetried:
      triedAgain += count
      if let place { rows[place].output = "" }
    case .taskFailed:
      failed += count
      noteFailure(event, span, place)
    default: break
    }
  }

  private mutating func row(of event: Event) -> Int? {
    guard let number = event.worker, let place = maker.row(of: event) else { return nil }
    if place == rows.count {
      rows.append(
        Row(maker.isOfOneSource ? String(number + 1) : "\(event.source) \(number + 1)"))
    }
    return place
  }

  private mutating func noteStart(_ event: Event, _ place: Int) {
    rows[place].started = event.time
    rows[place].processes += 1
  }

  private mutating func noteReady(_ event: Event, _ place: Int) {
    if let started = rows[place].started { rows[place].starting += event.time - started }
    rows[place].started = nil
  }

  private mutating func noteFailure(_ event: Event, _ span: WorkSpan?, _ place: Int?) {
    var output = ""
    if let place { swap(&output, &rows[place].output) }
    guard failures.count < Self.mostFailures else { return }
    let name = span?.name ?? event.task.map { "task \($0)" } ?? "a task"
    failures.append(Failure(name: name, reason: event.text ?? "", output: output))
  }

  private mutating func add(_ span: WorkSpan) {
    rows[span.row].working += span.end - span.start
    rows[span.row].tasks += span.count
    spanCount += 1
    if spans.count < Self.mostSpans { spans.append(span) }
    guard span.outcome != .cancelled else { return }
    durations[Self.bucket(span.duration)] += span.count
    if slowest.count < Self.mostSlow || span.duration > slowest.last!.duration {
      let place = slowest.firstIndex { $0.duration < span.duration } ?? slowest.count
      slowest.insert(span, at: place)
      if slowest.count > Self.mostSlow { slowest.removeLast() }
    }
  }

  private static func bucket(_ nanoseconds: UInt64) -> Int {
    let microseconds = max(1, nanoseconds / 1000)
    let power = 63 - microseconds.leadingZeroBitCount
    let isUpperHalf = Double(microseconds) / Double(UInt64(1) << UInt64(power)) >= 2.0.squareRoot()
    return min(95, 2 * power + (isUpperHalf ? 1 : 0))
  }
}

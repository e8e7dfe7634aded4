import ApusSystem

/// Tasks that one worker did one after the other, and that are told of together.
struct WorkSpan: Sendable {
  enum Outcome: Int, Sendable, Hashable, CaseIterable { case succeeded, failed, cancelled, triedAgain }

  /// The worker's place among those that were seen.
  var row: Int
  /// By the monotonic clock, in nanoseconds.
  var (start, end): (UInt64, UInt64)
  var task: Int?
  var count: Int
  var outcome: Outcome
  /// What the task is called, if it has a name.
  var label: String

  /// Nanoseconds; of one task.
  var duration: UInt64 { (end - start) / UInt64(max(1, count)) }
  /// Its name, or its number.
  var name: String { label.isEmpty ? task.map { "task \($0)" } ?? "a task" : label }
}

/// Makes spans of events: of what a worker was given, and what it is done with.
struct SpanMaker: Sendable {
  private struct Worker: Hashable { var (source, number): (UInt64, Int) }

  private struct Given: Sendable {
    var (call, task, count): (UInt64?, Int?, Int)
    var since: UInt64
    var label: String

    /// Whether a task is one of these. Programs of a run have no calls.
    func has(_ event: Event) -> Bool {
      guard call == event.call, let task, let other = event.task else {
        return task == nil || event.task == nil
      }
      return task <= other && other < task + count
    }
  }

  private struct Row: Sendable {
    /// What it was given and is not over, the oldest first.
    var given: [Given] = []
    var lastEnd: UInt64 = 0
  }

  private var places: [Worker: Int] = [:]
  private var rows: [Row] = []

  /// The worker's row: a new one if it was not seen before.
  mutating func row(of event: Event) -> Int? {
    guard let number = event.worker else { return nil }
    let worker = Worker(source: event.source.id, number: number)
    if let place = places[worker] { return place }
    places[worker] = rows.count
    rows.append(Row())
    return rows.count - 1
  }

  /// Whether all that were seen are of one source.
  var isOfOneSource: Bool { Set(places.keys.map(\.source)).count <= 1 }

  /// What is over with this event. Nil for what took no time: it was never given to a worker, or before anybody listened.
  mutating func note(_ event: Event) -> WorkSpan? {
    guard let row = row(of: event) else { return nil }
    let outcome: WorkSpan.Outcome
    switch event.kind {
    case .taskStarted:
      rows[row].given.append(
        Given(
          call: event.call, task: event.task, count: event.count ?? 1, since: event.time,
          label: event.text ?? ""))
      return nil
    case .workerExited:
      rows[row].given = []
      return nil
    case .taskFinished: outcome = .succeeded
    case .taskFailed: outcome = .failed
    case .taskCancelled: outcome = .cancelled
    case .taskRetried: outcome = .triedAgain
    default: return nil
    }
    guard let place = rows[row].given.firstIndex(where: { $0.has(event) }) else { return nil }
    let (given, count) = (rows[row].given[place], event.count ?? 1)
    if given.count <= count {
      rows[row].given.remove(at: place)
    } else {
      // They are done in order.
      rows[row].given[place].count -= count
      rows[row].given[place].task = event.task.map { $0 + count }
    }
    let start = max(rows[row].lastEnd, given.since)
    let end = max(start, event.time)
    rows[row].lastEnd = end
    return WorkSpan(
      row: row, start: start, end: end, task: event.task, count: count, outcome: outcome, label: given.label)
  }
}

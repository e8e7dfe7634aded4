import ApusSystem
import CApus

/// How far work is, as the events tell.
struct ProgressTally: Sendable {
  /// How many tasks there are, if that is known.
  var total: Int?
  private(set) var (done, failed, cancelled, retried) = (0, 0, 0, 0)
  /// What each worker is at, in words, and since when.
  private(set) var busy: [Int: (text: String, since: UInt64)] = [:]
  /// How many tasks events have told of: a total, where nobody knows a better one.
  private var queued = 0
  let begun = apus_now()
  private var rate: Double?
  private var (lastDone, lastTime) = (0, apus_now())

  init(total: Int?) { self.total = total }

  mutating func note(_ event: Event) {
    let count = event.count ?? 1
    switch event.kind {
    case .taskQueued: queued += count
    case .taskStarted:
      if let worker = event.worker { busy[worker] = (event.text ?? "", event.time) }
    case .taskFinished:
      done += count
      leave(event)
    case .taskFailed:
      done += count
      failed += count
      leave(event)
    case .taskCancelled:
      done += count
      cancelled += count
      leave(event)
    case .taskRetried:
      retried += count
      leave(event)
    default: break
    }
  }

  private mutating func leave(_ event: Event) {
    if let worker = event.worker { busy[worker] = nil }
  }

  var knownTotal: Int? { total ?? (queued > 0 ? queued : nil) }

  /// Tasks a second: of late rather than on the whole.
  mutating func currentRate(_ now: UInt64) -> Double {
    let seconds = Double(now - lastTime) / 1e9
    if seconds >= 0.5 {
      let latest = Double(done - lastDone) / seconds
      rate = rate.map { 0.7 * $0 + 0.3 * latest } ?? latest
      (lastDone, lastTime) = (done, now)
    }
    return rate ?? Double(done) / max(Double(now - begun) / 1e9, 0.001)
  }

  /// Seconds until all are done, if it goes on as on the whole.
  func left(_ now: UInt64) -> Double? {
    guard let total = knownTotal, done > 0 else { return nil }
    return Double(now - begun) / 1e9 / Double(done) * Double(max(0, total - done))
  }
}

public import ApusSystem
import CApus
import Glibc

/// Notes the course of work, and tells of it when it is over: in a few lines, or in a page with a timeline.
///
/// ```swift
/// let recorder = WorkRecorder("conversion of the library")
/// …
/// recorder.finish()
/// print(recorder.summary)
/// try recorder.writeReport(to: "report.html")
/// ```
///
/// It listens to an event stream. Of more than 20,000 groups of tasks, the first are in the timeline, and all are counted.
public final class WorkRecorder: Sendable {
  private let title: String
  private let record: Locked<WorkRecord>
  private let subscription: EventStream.Subscription
  private let startTime = time(nil)
  private let earlierProcessorTime = childrenProcessorTime

  /// Begins to listen.
  ///
  /// - Parameters:
  ///   - title: What the work is called in the report.
  ///   - events: Whose events are noted.
  public init(_ title: String, of events: EventStream = .shared) {
    self.title = title
    let record = Locked(WorkRecord(begin: apus_now()))
    self.record = record
    subscription = events.subscribe { event in record.withLock { $0.note(event) } }
  }

  /// Notes nothing more; again and again does no harm.
  public func finish() { subscription.cancel() }

  /// Where the time went, in a few lines.
  public var summary: String {
    WorkSummary.text(record.withLock { $0 }, processorTime: processorTime)
  }

  /// Writes a page for a browser, one file with all that it needs, in place of what there was.
  ///
  /// - Throws: `ReportFailure` if it can't be written; what there was is as it was then.
  public func writeReport(to path: String) throws(ReportFailure) {
    do throws(FileError) { try writeReport(to: WholeFile(ByteString(path))) } catch {
      throw ReportFailure(error)
    }
  }

  package func writeReport(to file: WholeFile) throws(FileError) {
    let data = ReportData.json(
      record.withLock { $0 }, title: title, startTime: startTime, processorTime: processorTime)
    try file.write(ReportPage.html(data))
    try file.commit()
  }

  /// Nanoseconds, of children of this process that have ended since the beginning.
  private var processorTime: UInt64 { Self.childrenProcessorTime - earlierProcessorTime }

  private static var childrenProcessorTime: UInt64 {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage)
    func nanoseconds(_ time: timeval) -> UInt64 {
      UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_usec) * 1000
    }
    return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime)
  }
}

@testable import ApusDisplays
import ApusSystem
import Testing

/// What is made of events.
@Suite struct WorkRecordTests {
  private let source = Event.Source("pool")

  private func record(_ events: [Event]) -> WorkRecord {
    var record = WorkRecord(begin: events[0].time)
    for event in events { record.note(event) }
    return record
  }

  private func event(
    _ kind: Event.Kind, worker: Int? = 0, task: Int? = nil, count: Int? = nil, text: String? = nil
  )
    -> Event
  {
    Event(kind, from: source, worker: worker, call: 7, task: task, count: count, text: text)
  }

  /// A worker has the next tasks already while it is at the first.
  @Test func tasksGivenTogetherAreDoneOneAfterTheOther() {
    let record = record([
      event(.taskStarted, task: 0, count: 3), event(.taskStarted, task: 3, count: 1),
      event(.taskFinished, task: 0, count: 2), event(.taskFailed, task: 2, text: "bad"),
      event(.taskFinished, task: 3, count: 1),
    ])
    #expect(record.spans.map(\.count) == [2, 1, 1])
    #expect(record.spans.map(\.outcome) == [.succeeded, .failed, .succeeded])
    for (one, next) in zip(record.spans, record.spans.dropFirst()) { #expect(one.end == next.start) }
    #expect((record.succeeded, record.failed) == (3, 1))
    #expect(record.failures.map(\.name) == ["task 2"])
    #expect(record.working == record.spans.last!.end - record.spans[0].start)
  }

  @Test func whatNobodyWasGivenTakesNoTime() {
    let record = record([
      event(.taskCancelled, worker: nil, task: 0, count: 5), event(.taskFinished, task: 9),
      event(.taskFailed, worker: nil, task: 6, text: "never sent"),
    ])
    #expect(record.spans.isEmpty)
    #expect((record.cancelled, record.succeeded, record.failed) == (5, 1, 1))
    #expect(record.failures.map(\.reason) == ["never sent"])
  }

  @Test func anEndOfAWorkerTakesBackWhatItHad() {
    let record = record([
      event(.taskStarted, task: 0, count: 2), event(.taskRetried, task: 0), event(.workerExited),
      event(.taskStarted, task: 0, count: 2), event(.taskFinished, task: 0, count: 2),
    ])
    #expect(record.spans.map(\.outcome) == [.triedAgain, .succeeded])
    #expect((record.succeeded, record.triedAgain) == (2, 1))
  }

  @Test func memoryHasAnEnd() {
    var record = WorkRecord(begin: 0)
    for task in 0..<30_000 {
      record.note(event(.taskStarted, task: task))
      record.note(event(.taskFailed, task: task, text: "bad"))
    }
    #expect(record.spans.count == WorkRecord.mostSpans)
    #expect((record.spanCount, record.failed) == (30_000, 30_000))
    #expect(record.failures.count == WorkRecord.mostFailures)
    #expect(record.durations.reduce(0, +) == 30_000)
    #expect(record.slowest.count == WorkRecord.mostSlow)
    #expect(zip(record.slowest, record.slowest.dropFirst()).allSatisfy { $0.duration >= $1.duration })
  }

  @Test(
    arguments: [
      (80_000, "80 µs"), (45_000_000, "45 ms"), (1_204_000_000, "1.20 s"), (12_340_000_000, "12.3 s"),
      (3_723_000_000_000, "1:02:03"),
    ] as [(UInt64, String)])
  func durations(nanoseconds: UInt64, text: String) {
    #expect(WorkSummary.duration(nanoseconds) == text)
  }
}

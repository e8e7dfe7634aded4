import ApusSystem

/// What a report's page shows, as JSON. Times are in seconds from the beginning.
enum ReportData {
  static func json(_ record: WorkRecord, title: String, startTime: Int, processorTime: UInt64) -> String {
    func since(_ time: UInt64) -> String {
      JSONText.seconds(time > record.begin ? time - record.begin : 0)
    }
    func list(_ items: [String]) -> String { "[" + items.joined(separator: ",") + "]" }
    let quoted: (String) -> String = JSONText.quoted
    let spans = record.spans.map { span in
      list([
        String(span.row), since(span.start), JSONText.seconds(span.end - span.start),
        String(span.outcome.rawValue),
        span.task.map(String.init) ?? "null", String(span.count), quoted(span.label),
      ])
    }
    let rows = record.rows.map { row in
      list([
        quoted(row.name), JSONText.seconds(row.working), String(row.tasks), String(row.processes),
      ])
    }
    let slowest = record.slowest.map { span in
      list([
        JSONText.seconds(span.duration), quoted(span.name), String(span.row), since(span.start),
        String(span.outcome.rawValue),
      ])
    }
    let durations = record.durations.enumerated().filter { $0.element > 0 }.map { "[\($0),\($1)]" }
    let failures = record.failures.map { failure in
      list([quoted(failure.name), quoted(failure.reason), quoted(failure.output)])
    }
    return """
      {"title":\(quoted(title)),"start":\(startTime),"seconds":\(since(record.end)),
      "succeeded":\(record.succeeded),"failed":\(record.failed),"cancelled":\(record.cancelled),
      "triedAgain":\(record.triedAgain),"working":\(JSONText.seconds(record.working)),
      "processor":\(JSONText.seconds(processorTime)),"spanCount":\(record.spanCount),
      "rows":\(list(rows)),
      "spans":\(list(spans)),
      "slowest":\(list(slowest)),
      "durations":\(list(durations)),
      "failures":\(list(failures))}
      """
  }
}

public import ApusSystem
import CApus

/// Writes the course of work as a trace: a file that Perfetto (ui.perfetto.dev) and Chrome's `about:tracing` show.
///
/// ```swift
/// let trace = try TraceFile("work.json")
/// …
/// try trace.finish()
/// ```
///
/// It is in the Trace Event Format, an array of JSON. It is written as the work goes on, so memory does not grow; the file is
/// in its place when `finish` has returned.
public final class TraceFile: Sendable {
  fileprivate struct State {
    var file: WholeFile
    let begin = apus_now()
    var isEmpty = true
    var problem: FileError?
    var maker = SpanMaker()
    /// How many rows have been named.
    var named = 0

    init(_ file: WholeFile) { self.file = file }
  }

  private let state: Locked<State>
  private let subscription: EventStream.Subscription

  /// Begins to listen, and to write.
  ///
  /// - Parameters:
  ///   - path: Where it is written, in place of what there was.
  ///   - events: Whose events are written.
  /// - Throws: `ReportFailure` if there can't be such a file.
  public convenience init(_ path: String, of events: EventStream = .shared) throws(ReportFailure) {
    do throws(FileError) { self.init(try WholeFile(ByteString(path)), of: events) } catch {
      throw ReportFailure(error)
    }
  }

  package init(_ file: WholeFile, of events: EventStream = .shared) {
    let state = Locked(State(file))
    self.state = state
    subscription = events.subscribe { event in state.withLock { $0.note(event) } }
  }

  /// Completes it: the file has its name.
  ///
  /// - Throws: `ReportFailure` if something could not be written: what was there before is as it was.
  public func finish() throws(ReportFailure) {
    subscription.cancel()
    let problem = state.withLock { $0.finish() }
    if let problem { throw ReportFailure(problem) }
  }
}

extension TraceFile.State {
  fileprivate mutating func note(_ event: Event) {
    guard let worker = event.worker, let row = maker.row(of: event) else { return }
    let place = #""pid":\#(event.source.id),"tid":\#(row)"#
    if row == named {
      named += 1
      let name = JSONText.quoted("\(event.source) worker \(worker + 1)")
      write(#"{"ph":"M","name":"thread_name",\#(place),"args":{"name":\#(name)}}"#)
    }
    if let span = maker.note(event) {
      var arguments = #""tasks":\#(span.count)"#
      if let text = event.text, span.outcome != .succeeded {
        arguments += #","why":\#(JSONText.quoted(text))"#
      }
      write(
        #"{"ph":"X","name":\#(JSONText.quoted(span.name)),"cat":"\#(span.outcome)",\#(place),"ts":\#(since(begin, span.start)),"#
          + #""dur":\#(since(span.start, span.end)),"args":{\#(arguments)}}"#)
    } else if [.workerStarted, .workerReady, .workerExited].contains(event.kind) {
      write(#"{"ph":"i","s":"t","name":"\#(event.kind)",\#(place),"ts":\#(since(begin, event.time))}"#)
    }
  }

  /// Microseconds.
  private func since(_ begin: UInt64, _ time: UInt64) -> UInt64 { time > begin ? (time - begin) / 1000 : 0 }

  private mutating func write(_ text: String) {
    guard problem == nil else { return }
    do throws(FileError) { try file.write((isEmpty ? "[\n" : ",\n") + text) } catch { problem = error }
    isEmpty = false
  }

  fileprivate mutating func finish() -> FileError? {
    if let problem { return problem }
    do throws(FileError) {
      try file.write(isEmpty ? "[]\n" : "\n]\n")
      try file.commit()
      return nil
    } catch { return error }
  }
}

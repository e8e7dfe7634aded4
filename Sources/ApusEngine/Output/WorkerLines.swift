import ApusSystem
import ApusWire

/// One worker's output, as lines of its tasks.
package final class WorkerLines: @unchecked Sendable {
  // Sound: used under the lock of the engine that has the worker.

  /// Tasks that were sent to the worker: whose they are.
  private struct Sent {
    let first: UInt64
    var count: UInt64
    let call: UInt64?
    let index: Int
  }

  /// What the worker begins its marks with.
  let token = UInt64.random(in: 0...UInt64.max)
  private let worker: Int
  private let handler: LineHandler
  var process: Int32 = 0
  /// The oldest first. What both streams are behind is forgotten.
  private let sent = Queue<Sent>()
  private var streams = (output: State(), errors: State())

  /// The end of standard error, without the marks.
  private var tail = Tail()
  var lastErrors: String { tail.text }

  private struct State {
    /// The task that the worker is at where the stream was read; nil: none.
    var current: UInt64?
    /// The one that it has begun last.
    var last: UInt64?
    /// What may be the beginning of a mark.
    var begun: [UInt8] = []
  }

  init(worker: Int, handler: LineHandler) { (self.worker, self.handler) = (worker, handler) }

  /// Tasks were sent: of a call, or nil for a hook.
  func note(_ first: UInt64, _ count: Int, call: UInt64?, index: Int) {
    if !sent.isEmpty {
      let last = sent[sent.count - 1]
      if last.call == call, last.first + last.count == first, last.index + Int(last.count) == index {
        sent[sent.count - 1].count += UInt64(count)
        return
      }
    }
    sent.append(Sent(first: first, count: UInt64(count), call: call, index: index))
  }

  /// Takes what a stream has printed: whole lines, or a piece of a long one.
  func accept(_ bytes: UnsafeRawBufferPointer, _ stream: WorkerLine.Stream) {
    var lines: [WorkerLine] = []
    switch stream {
    case .output: read(bytes, &streams.output, stream, &lines)
    case .errors: read(bytes, &streams.errors, stream, &lines)
    }
    handler.accept(lines)
    forget()
  }

  private func read(
    _ bytes: UnsafeRawBufferPointer, _ state: inout State, _ stream: WorkerLine.Stream,
    _ lines: inout [WorkerLine]
  ) {
    if !state.begun.isEmpty {
      let whole = state.begun + bytes
      state.begun = []
      return whole.withUnsafeBytes { read($0, &state, stream, &lines) }
    }
    var rest = bytes
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      var line = UnsafeRawBufferPointer(rebasing: rest[..<end])
      rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
      let next = OutputMark.sequence(endOf: line, token)
      if next != nil { line = UnsafeRawBufferPointer(rebasing: line.dropLast(OutputMark.length)) }
      // A mark at the beginning of a line is not the end of an empty one.
      if next == nil || !line.isEmpty {
        lines.append(self.line(line, state, stream))
        if stream == .errors { keep(line, isEnded: true) }
      }
      if let next {
        state.current = next == OutputMark.noTask ? nil : next
        state.last = state.current ?? state.last
      }
    }
    guard !rest.isEmpty else { return }
    let begun = OutputMark.begun(atEndOf: rest)
    state.begun = Array(rest.suffix(begun))
    if begun < rest.count {
      let piece = UnsafeRawBufferPointer(rebasing: rest.dropLast(begun))
      lines.append(line(piece, state, stream))
      if stream == .errors { keep(piece, isEnded: false) }
    }
  }

  private func keep(_ line: UnsafeRawBufferPointer, isEnded: Bool) {
    tail.append(line)
    if isEnded { withUnsafeBytes(of: UInt8(ascii: "\n")) { tail.append($0) } }
  }

  private func line(_ bytes: UnsafeRawBufferPointer, _ state: State, _ stream: WorkerLine.Stream)
    -> WorkerLine
  {
    let found = state.current.flatMap { task in
      (0..<sent.count).lazy.map { [sent] in sent[$0] }.first {
        $0.first <= task && task < $0.first + $0.count
      }
    }
    return WorkerLine(
      bytes: Array(bytes), stream: stream, worker: worker, process: process, call: found?.call,
      task: found?.call == nil ? nil : found.map { $0.index + Int(state.current! - $0.first) })
  }

  private func forget() {
    guard let output = streams.output.last, let errors = streams.errors.last else { return }
    let last = min(output, errors)
    while let first = sent.first, first.first + first.count <= last { _ = sent.popFirst() }
  }
}

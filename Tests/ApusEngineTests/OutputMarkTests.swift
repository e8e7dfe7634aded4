import ApusSystem
import Testing

@testable import ApusEngine

/// Lines of a worker that are known by their tasks, however its output is cut on its way.
@Suite struct OutputMarkTests {
  private static func mark(_ token: UInt64, _ sequence: UInt64) -> [UInt8] {
    OutputMark.with(token, sequence) { Array($0) }
  }

  /// What the handler gets of pieces of output, as `call.task text`.
  private static func lines(_ pieces: (WorkerLines) -> [[UInt8]]) throws -> [String] {
    let got = Locked<[String]>([])
    let handler = try LineHandler { line in
      let task = line.task.map { "\(line.call!).\($0)" } ?? "-"
      got.withLock { $0.append("\(task) \(line.text)") }
    }
    let worker = WorkerLines(worker: 0, handler: handler)
    for piece in pieces(worker) { piece.withUnsafeBytes { worker.accept($0, .output) } }
    handler.end()
    return got.withLock { $0 }
  }

  @Test func tasksByNumber() throws {
    let token: UInt64 = 0xFEDC_BA98_7654_3210
    for sequence: UInt64 in [0, 1, 41, .max] {
      let line = Array("open".utf8) + Self.mark(token, sequence).dropLast()
      line.withUnsafeBytes {
        #expect(OutputMark.sequence(endOf: $0, token) == sequence)
        #expect(OutputMark.sequence(endOf: $0, token ^ 1) == nil)
      }
    }
    for text in ["", "a", String(repeating: "\u{1E}", count: 40), String(repeating: "0", count: 33)] {
      Array(text.utf8).withUnsafeBytes { #expect(OutputMark.sequence(endOf: $0, token) == nil) }
    }
  }

  /// Cut at every byte, which only lines longer than a relay keeps are.
  @Test func everyCut() throws {
    for cut in 0...200 {
      let got = try Self.lines { worker in
        worker.note(0, 2, call: 7, index: 5)
        worker.note(2, 1, call: nil, index: 0)
        let whole =
          Array("before\n".utf8) + Self.mark(worker.token, 0) + Array("one\ntwo".utf8)
          + Self.mark(worker.token, 1) + Array("\n\u{1E}three\n".utf8) + Self.mark(worker.token, 2)
          + Array("hook\n".utf8)
        let place = min(cut, whole.count)
        return [Array(whole[..<place]), Array(whole[place...])]
      }
      // A line that is cut comes in two; put together again they are the same.
      let texts = got.reduce(into: [String]()) { texts, line in
        let (task, text) = (line.prefix { $0 != " " }, line.drop { $0 != " " }.dropFirst())
        if texts.last?.hasPrefix(task + " ") == true {
          texts[texts.count - 1] += text
        } else {
          texts.append(task + " " + text)
        }
      }
      #expect(texts == ["- before", "7.5 onetwo", "7.6 \u{1E}three", "- hook"], "cut at \(cut)")
    }
  }
}

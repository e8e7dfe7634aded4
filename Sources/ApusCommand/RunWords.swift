import ApusPrograms
import ApusSystem

/// The words of a run: its command, and the inputs after it.
struct RunWords {
  let command: [ByteString]
  /// Lists to be combined, each of inputs with one column or more.
  let lists: [[InputRow]]

  /// How many columns an input of theirs has.
  var columnCount: Int { lists.reduce(0) { $0 + ($1.first?.fields.count ?? 0) } }

  private static let marks: [ByteString] = [":::", ":::+", "::::", "::::+"]

  static func isMark(_ word: String) -> Bool { marks.contains { $0.description == word } }

  /// - Throws: `ProgramProblem` if inputs that go along with others are not as many.
  init(_ words: [ByteString], _ inputs: RunInputs) throws(ProgramProblem) {
    let end = words.firstIndex { Self.marks.contains($0) } ?? words.count
    command = Array(words[..<end])
    var lists: [[InputRow]] = []
    var rest = words[end...]
    while let mark = rest.popFirst() {
      let next = rest.firstIndex { Self.marks.contains($0) } ?? rest.endIndex
      let values = Array(rest[..<next])
      rest = rest[next...]
      var list = values.map { InputRow([$0]) }
      if mark.hasPrefix("::::") {
        list = []
        for path in values { list += try Self.all(path, inputs) }
      }
      let isLinked = mark.bytes.last == UInt8(ascii: "+")
      if isLinked, let before = lists.popLast() {
        guard before.count == list.count else {
          throw .usage("\(mark) has \(list.count) inputs, and what it goes along with has \(before.count)")
        }
        list = zip(before, list).map { InputRow($0.fields + $1.fields) }
      }
      lists.append(list)
    }
    self.lists = lists
  }

  private static func all(_ path: ByteString, _ inputs: RunInputs) throws(ProgramProblem) -> [InputRow] {
    if inputs.isCSV || inputs.hasHeader {
      throw .usage("a table with names comes from --input or standard input, not from ::::")
    }
    let source = try RecordSource.open(
      path, separator: inputs.isNullSeparated ? 0 : UInt8(ascii: "\n"), columns: inputs.columns)
    var rows: [InputRow] = []
    while true {
      switch try source.next() {
      case .row(let row): rows.append(row)
      case .waiting(let descriptor): _ = isReadable(descriptor, within: -1)
      case .end: return rows
      }
    }
  }
}

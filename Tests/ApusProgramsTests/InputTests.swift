import ApusPrograms
import ApusSystem
import Glibc
import Testing

@Suite struct InputTests {
  private func rows(_ source: any InputSource) throws -> [[String]] {
    var rows: [[String]] = []
    while true {
      switch try source.next() {
      case .row(let row): rows.append(row.fields.map(\.description))
      case .waiting(let descriptor): _ = isReadable(descriptor, within: -1)
      case .end: return rows
      }
    }
  }

  private func records(_ text: [UInt8], separator: UInt8 = 10, _ columns: ColumnReader? = nil) throws
    -> RecordSource
  {
    let (reading, writing) = try OwnedDescriptor.pipe()
    try NativeThread.start(name: "input") {
      var rest = text[...]
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(writing.number, $0.baseAddress, $0.count) }
        rest = rest.dropFirst(max(0, count))
      }
      writing.close()
    }
    return RecordSource(reading, name: "input", separator: separator, columns: columns)
  }

  private func records(_ text: String, separator: UInt8 = 10, _ columns: ColumnReader? = nil) throws
    -> RecordSource
  {
    try records(Array(text.utf8), separator: separator, columns)
  }

  @Test func lines() throws {
    #expect(try rows(records("a b\n\nc\n")) == [["a b"], ["c"]])
    #expect(try rows(records("a b\0\0c\0", separator: 0)) == [["a b"], [""], ["c"]])
    #expect(try rows(records("a\nb")) == [["a"], ["b"]])
    #expect(try rows(records("")) == [])
    #expect(try rows(records("a\nb\0c", separator: 0)) == [["a\nb"], ["c"]])
  }

  @Test func longLines() throws {
    let long = String(repeating: "x", count: 1_000_000)
    #expect(try rows(records("\(long)\n\(long)y\n")) == [[long], [long + "y"]])
  }

  @Test func columns() throws {
    let reader = ColumnReader(separator: UInt8(ascii: "\t"), hasQuotes: false, hasHeader: false)
    #expect(try rows(records("a\tb\n\t\nc\n", reader)) == [["a", "b"], ["", ""], ["c"]])
  }

  @Test func csv() throws {
    let source = try records(
      "name,mail\r\n\"A, \"\"B\"\"\",x\n\"two\nlines\",\"\"\n",
      ColumnReader(separator: UInt8(ascii: ","), hasQuotes: true, hasHeader: true))
    #expect(try rows(source) == [["A, \"B\"", "x"], ["two\nlines", ""]])
    #expect(source.names == ["name", "mail"])
  }

  @Test(arguments: ["n,m\n\"a,b\n", "n,m\n\"a\"b,c\n", "n,m\na\n", "n,m\na,b,c\n"])
  func badTables(text: String) throws {
    let source = try records(
      text, ColumnReader(separator: UInt8(ascii: ","), hasQuotes: true, hasHeader: true))
    #expect(throws: ProgramProblem.self) { try rows(source) }
  }

  @Test func combinations() throws {
    func list(_ values: String...) -> [InputRow] { values.map { InputRow([ByteString($0)]) } }
    #expect(
      try rows(ProductSource([list("a", "b"), list("1", "2")])) == [
        ["a", "1"], ["a", "2"], ["b", "1"], ["b", "2"],
      ])
    #expect(try rows(ProductSource([list("a"), []])) == [])
  }

  @Test func groups() throws {
    let source = GroupedSource(ListSource((1...5).map { InputRow([ByteString("\($0)")]) }), size: 2)
    #expect(source.count == 3)
    #expect(try rows(source) == [["1", "2"], ["3", "4"], ["5"]])
  }
}

import ApusPrograms
import ApusSystem
import Testing

@Suite struct CommandTemplateTests {
  private func expand(
    _ words: [String], _ fields: [String], names: [String] = [], shell: Bool = false, slot: Int? = 4
  ) throws -> [String] {
    var template = CommandTemplate(words.map { ByteString($0) }, isForShell: shell)
    try template.resolve(columns: fields.count, names: names)
    let row = InputRow(fields.map { ByteString($0) })
    return try template.command(row, number: 7, slot: slot).map(\.description)
  }

  @Test func places() throws {
    let path = "a.b/c d.tar.gz"
    #expect(
      try expand(["x", "{}", "{.}", "{/}", "{//}", "{/.}"], [path])
        == ["x", path, "a.b/c d.tar", "c d.tar.gz", "a.b", "c d.tar"])
    #expect(
      try expand(["x", "{2}-{1}", "{-1.}", "{#}", "{slot}{%}"], ["a", "b.c"]) == [
        "x", "b.c-a", "b", "7", "55",
      ])
    #expect(try expand(["{//}", "{/}", "{.}"], ["/x"]) == ["/", "x", "/x"])
    #expect(try expand(["{//}", "{.}"], [".profile"]) == [".", ".profile"])
  }

  @Test func withoutPlacesInputsStandAtTheEnd() throws {
    #expect(try expand(["x", "-y"], ["a b", "c"]) == ["x", "-y", "a b", "c"])
    #expect(try expand(["x", "{#}"], ["a"]) == ["x", "7", "a"])
  }

  @Test func aWordWithAllInputsIsWrittenForEach() throws {
    #expect(try expand(["x", "-f{}", "{1}"], ["a", "b"]) == ["x", "-fa", "-fb", "a"])
  }

  @Test func otherBracesAreText() throws {
    let words = [
      "awk", "{print $1}", "{\"a\":1}", "{", "}", "{}x", "{{}}", "{{1.}}", "{{print}}", "{0}", "{a-b}",
    ]
    #expect(
      try expand(words, ["i"])
        == ["awk", "{print $1}", "{\"a\":1}", "{", "}", "ix", "{}", "{1.}", "{print}", "{0}", "{a-b}"])
  }

  @Test func names() throws {
    #expect(
      try expand(["x", "{mail}", "{name/}"], ["u/n", "m"], names: ["name", "mail"]) == ["x", "m", "n"])
    // Without names, it is text.
    #expect(try expand(["x", "{mail}", "{}"], ["a"]) == ["x", "{mail}", "a"])
    #expect(try expand(["x", "{mail}"], ["a"]) == ["x", "{mail}", "a"])
    #expect(try expand(["{a b/}", "{a.}"], ["u/n", "m"], names: ["a b", "a."]) == ["n", "m"])
    #expect(throws: ProgramProblem.self) { try expand(["x", "{nmae}"], ["a"], names: ["name"]) }
  }

  @Test func aColumnThatIsNotThere() {
    #expect(throws: ProgramProblem.self) { try expand(["x", "{3}"], ["a", "b"]) }
    #expect(throws: ProgramProblem.self) { try expand(["x", "{-3}"], ["a", "b"]) }
  }

  @Test func forAShell() throws {
    #expect(try expand(["cat {} | wc"], ["it's", "b"], shell: true) == ["cat 'it'\\''s' b | wc"])
    #expect(try expand(["echo"], ["$HOME"], shell: true) == ["echo '$HOME'"])
  }

  @Test func bytesPassUnchanged() throws {
    var template = CommandTemplate([ByteString([0xff, 0x7b, 0x7d])])
    try template.resolve(columns: 1, names: [])
    let command = try template.command(InputRow([ByteString([0xfe, 10, 0x80])]), number: 1, slot: 0)
    #expect(command == [ByteString([0xff, 0xfe, 10, 0x80])])
  }
}

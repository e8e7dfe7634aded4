package import ApusSystem

/// A command with places for inputs: `gzip {}`, `convert {} {.}.png`.
///
/// | place | what stands there |
/// |---|---|
/// | `{}` | the input; of several, each becomes a word |
/// | `{2}` `{-1}` `{name}` | that column of it, the last one, the column of that name |
/// | `{.}` `{/}` `{//}` `{/.}` | without its extension; its last part; its folder; its last part without extension |
/// | `{2.}` `{name/}` | the same of one column |
/// | `{#}` `{slot}` | the job's number; that of its slot: both from 1 |
/// | `{{}}` | `{}` as it is, and so with any of these |
///
/// Everything else in braces is text. A command without a place for inputs has them at its end.
package struct CommandTemplate: Sendable {
  enum Part: Sendable, Hashable {
    case text([UInt8])
    case input(Column, Piece)
    case number
    case slot
  }

  enum Column: Sendable, Hashable {
    case all
    /// From 1; negative ones count from the last.
    case place(Int)
    case name(String)
  }

  /// Which piece of a path.
  enum Piece: String, Sendable, Hashable, CaseIterable {
    case whole = ""
    case withoutExtension = "."
    case lastPart = "/"
    case folder = "//"
    case lastPartWithoutExtension = "/."
  }

  /// As they were given.
  private let text: [ByteString]
  /// Whether what inputs hold is quoted for a shell. Then `{}` of several columns is one piece of text.
  private let isForShell: Bool
  private var words: [[Part]] = []
  /// Whether the command says where inputs go; names of columns apart, which are known later.
  package let hasPlaces: Bool

  package init(_ words: [ByteString], isForShell: Bool = false) {
    (text, self.isForShell) = (words, isForShell)
    hasPlaces = words.contains { Self.parse($0, []).contains { Self.isInput($0) && !Self.isName($0) } }
  }

  private static func isInput(_ part: Part) -> Bool {
    if case .input = part { true } else { false }
  }

  private static func isName(_ part: Part) -> Bool {
    if case .input(.name, _) = part { true } else { false }
  }

  private static func isForAll(_ part: Part) -> Bool {
    if case .input(.all, _) = part { true } else { false }
  }

  // MARK: Reading it

  private static func parse(_ word: ByteString, _ names: [String]) -> [Part] {
    var parts: [Part] = []
    var text: [UInt8] = []
    var rest = word.bytes[...]
    while let byte = rest.first {
      if byte == UInt8(ascii: "{"), let (part, length) = place(at: rest, names) {
        if case .text(let literal) = part {
          text += literal
        } else {
          if !text.isEmpty { parts.append(.text(text)) }
          text = []
          parts.append(part)
        }
        rest = rest.dropFirst(length)
      } else {
        text.append(byte)
        rest = rest.dropFirst()
      }
    }
    if !text.isEmpty || parts.isEmpty { parts.append(.text(text)) }
    return parts
  }

  /// The place that the bytes begin with, and how long it is.
  private static func place(at bytes: ArraySlice<UInt8>, _ names: [String]) -> (Part, Int)? {
    let (open, close) = (UInt8(ascii: "{"), UInt8(ascii: "}"))
    guard let end = bytes.firstIndex(of: close) else { return nil }
    let inner = bytes[bytes.startIndex.advanced(by: 1)..<end]
    // `{{…}}` stands for `{…}`.
    if inner.first == open {
      let next = end + 1
      guard next < bytes.endIndex, bytes[next] == close, part(inner.dropFirst(), names) != nil else {
        return nil
      }
      return (.text(Array(bytes[bytes.startIndex + 1..<next])), next + 1 - bytes.startIndex)
    }
    return part(inner, names).map { ($0, end + 1 - bytes.startIndex) }
  }

  private static func part(_ inner: ArraySlice<UInt8>, _ names: [String]) -> Part? {
    let text = String(decoding: inner, as: UTF8.self)
    if names.contains(text) { return .input(.name(text), .whole) }
    switch text {
    case "#": return .number
    case "slot", "%": return .slot
    default: break
    }
    // The longest piece first: `//` also ends with `/`.
    for piece in Piece.allCases.sorted(by: { $0.rawValue.utf8.count > $1.rawValue.utf8.count })
    where text.hasSuffix(piece.rawValue) {
      guard let column = column(text.dropLast(piece.rawValue.count), names) else { continue }
      return .input(column, piece)
    }
    return nil
  }

  private static func column(_ text: Substring, _ names: [String]) -> Column? {
    if names.contains(String(text)) { return .name(String(text)) }
    if text.isEmpty { return .all }
    if let number = Int(text) { return number == 0 ? nil : .place(number) }
    let isName = text.utf8.allSatisfy { byte in
      byte == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
    return isName ? .name(String(text)) : nil
  }

  // MARK: Columns

  /// Finds its places: before the first command is written.
  ///
  /// - Parameters:
  ///   - columns: How many there are, if that is known.
  ///   - names: Theirs, if they have some: of any text. What looks like a name and is none of them is a mistake then, and text
  ///     otherwise.
  ///   - isGrouped: Whether an input is several, so that a place for one column would leave others out.
  /// - Throws: `ProgramProblem` for a column that there is not.
  package mutating func resolve(columns: Int?, names: [String], isGrouped: Bool = false)
    throws(ProgramProblem)
  {
    words = text.map { Self.parse($0, names) }
    for index in words.indices {
      for place in words[index].indices {
        words[index][place] = try resolved(words[index][place], columns, names)
      }
      if isForShell { try Self.checkQuotes(words[index]) }
    }
    if isGrouped, words.contains(where: { $0.contains(where: Self.isInput) }),
      !words.contains(where: { $0.contains(where: Self.isForAll) })
    {
      throw .usage("a command that is given several inputs at a time needs a place for them all: {}")
    }
    // Without places inputs stand at the end.
    guard !words.contains(where: { $0.contains(where: Self.isInput) }) else { return }
    let all = Part.input(.all, .whole)
    if isForShell, !words.isEmpty {
      words[words.count - 1] += [.text([UInt8(ascii: " ")]), all]
    } else {
      words.append([all])
    }
  }

  private func resolved(_ part: Part, _ columns: Int?, _ names: [String]) throws(ProgramProblem) -> Part {
    guard case .input(let column, let piece) = part else { return part }
    switch column {
    case .all: return part
    case .place(let number):
      if let columns, number.magnitude > columns {
        let count = columns == 1 ? "is 1" : "are \(columns)"
        throw .usage("{\(number)\(piece.rawValue)} names a column that is not there: there \(count)")
      }
      return part
    case .name(let name):
      if let found = names.firstIndex(of: name) { return .input(.place(found + 1), piece) }
      if names.isEmpty { return .text(Array("{\(name)\(piece.rawValue)}".utf8)) }
      throw .usage(
        "no column is named '\(name)': there are \(names.joined(separator: ", ")). For the text itself, write {{\(name)}}"
      )
    }
  }

  /// Inputs are quoted where they stand: between quotes, they would be closed by those of the input, and what it holds be run.
  private static func checkQuotes(_ word: [Part]) throws(ProgramProblem) {
    var quote: UInt8?
    var isEscaped = false
    for part in word {
      guard case .text(let bytes) = part else {
        if quote != nil, isInput(part) {
          throw .usage(
            "in a line for the shell, write places without quotes around them: inputs are quoted already")
        }
        isEscaped = false
        continue
      }
      for byte in bytes {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\"), quote != UInt8(ascii: "'") {
          isEscaped = true
        } else if let open = quote {
          if byte == open { quote = nil }
        } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
          quote = byte
        }
      }
    }
  }

  // MARK: Writing a command

  /// The command for an input.
  ///
  /// - Parameter slot: From 0; nil leaves `{slot}` as it is.
  package func command(_ row: InputRow, number: Int, slot: Int?) throws(ProgramProblem) -> [ByteString] {
    var command: [ByteString] = []
    for word in words {
      // A word with the whole input in it is written once for each of its columns.
      let isEach = !isForShell && word.contains(where: Self.isForAll)
      if isEach {
        for field in row.fields { command.append(try write(word, row, number, slot, each: field)) }
      } else {
        command.append(try write(word, row, number, slot, each: nil))
      }
    }
    return command
  }

  private func write(
    _ word: [Part], _ row: InputRow, _ number: Int, _ slot: Int?, each: ByteString?
  ) throws(ProgramProblem) -> ByteString {
    var bytes: [UInt8] = []
    for part in word {
      switch part {
      case .text(let text): bytes += text
      case .number: bytes += String(number).utf8
      case .slot: bytes += (slot.map { String($0 + 1) } ?? "{slot}").utf8
      case .input(.all, let piece) where isForShell:
        bytes += row.fields.map { quoted(Self.piece(piece, of: $0.bytes)) }.joined(separator: [
          UInt8(ascii: " ")
        ])
      case .input(let column, let piece):
        let field = try field(column, row, number) ?? each ?? ""
        bytes += quoted(Self.piece(piece, of: field.bytes))
      }
    }
    return ByteString(bytes)
  }

  private func quoted(_ bytes: [UInt8]) -> [UInt8] {
    isForShell ? ShellQuoting.quote(ByteString(bytes)).bytes : bytes
  }

  private func field(_ column: Column, _ row: InputRow, _ number: Int) throws(ProgramProblem) -> ByteString? {
    guard case .place(let place) = column else { return nil }
    let index = place > 0 ? place - 1 : row.fields.count + place
    guard row.fields.indices.contains(index) else {
      let count = row.fields.count == 1 ? "1 column" : "\(row.fields.count) columns"
      throw .input("input \(number) has \(count), and the command wants {\(place)}")
    }
    return row.fields[index]
  }

  private static func piece(_ piece: Piece, of path: [UInt8]) -> [UInt8] {
    let slash = path.lastIndex(of: UInt8(ascii: "/"))
    switch piece {
    case .whole: return path
    case .folder:
      return slash.map { $0 == 0 ? [UInt8(ascii: "/")] : Array(path[..<$0]) } ?? [UInt8(ascii: ".")]
    case .lastPart: return slash.map { Array(path[($0 + 1)...]) } ?? path
    case .withoutExtension:
      let name = slash.map { $0 + 1 } ?? 0
      // A name that begins with a dot has no extension for that.
      guard let dot = path.lastIndex(of: UInt8(ascii: ".")), dot > name else { return path }
      return Array(path[..<dot])
    case .lastPartWithoutExtension:
      return Self.piece(.lastPart, of: Self.piece(.withoutExtension, of: path))
    }
  }
}

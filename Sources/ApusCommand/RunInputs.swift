import ApusPrograms
import ApusSystem
import ArgumentParser

/// Where inputs come from.
struct RunInputs: ParsableArguments {
  @Option(
    name: [.customShort("a"), .customLong("input")],
    help: ArgumentHelp("Read inputs from a file, one a line; - is standard input.", valueName: "file"))
  var files: [String] = []

  @Flag(
    name: .customLong("stdin"),
    help: "Read inputs from standard input, also if the command has no place for them.")
  var readsInput = false

  @Flag(
    name: [.customShort("0"), .customLong("null")],
    help: "Inputs of files and of standard input end with a NUL, not with a line.")
  var isNullSeparated = false

  @Flag(name: .customLong("csv"), help: "Lines have columns, and the first one has their names: {name}.")
  var isCSV = false

  @Option(
    name: .customLong("columns"),
    help: ArgumentHelp(
      "Lines have columns with this character (or 'tab') between: {1}, {2}.", valueName: "character"))
  var separator: String?

  @Flag(name: .customLong("header"), help: "With --columns: the first line has the columns' names.")
  var hasHeader = false

  @Option(
    name: [.customShort("n", allowingJoined: true), .customLong("max-args")],
    help: ArgumentHelp("Give each command so many inputs at a time.", valueName: "number"))
  var groupSize: Int?

  @Option(
    help: ArgumentHelp("Run the command so many times, all at once, without inputs.", valueName: "number"))
  var copies: Int?

  func check() throws {
    if let groupSize, groupSize < 1 { throw ValidationError("-n takes a number from 1 on") }
    if let copies {
      guard copies >= 1 else { throw ValidationError("--copies takes a number from 1 on") }
      if !files.isEmpty || readsInput || isNullSeparated || groupSize != nil {
        throw ValidationError("--copies is for a command without inputs")
      }
    }
    if let separator, separator != "tab", separator.utf8.count != 1 {
      throw ValidationError("--columns takes one character, or 'tab'")
    }
    if isCSV, isNullSeparated { throw ValidationError("--csv and -0 don't go together") }
    if hasHeader, separator == nil, !isCSV { throw ValidationError("--header is for --columns") }
    if groupSize != nil, isCSV || separator != nil {
      throw ValidationError("-n and columns don't go together")
    }
  }

  var columns: ColumnReader? {
    if isCSV { return ColumnReader(separator: separatorByte ?? UInt8(ascii: ","), hasHeader: true) }
    return separatorByte.map { ColumnReader(separator: $0, hasHeader: hasHeader) }
  }

  private var separatorByte: UInt8? { separator.map { $0 == "tab" ? UInt8(ascii: "\t") : $0.utf8.first! } }
}

import ApusPrograms
import ApusSystem
import ArgumentParser
import Glibc

/// Where inputs come from.
struct RunInputs: ParsableArguments {
  @Option(
    name: [.customShort("a"), .customLong("input")],
    help: ArgumentHelp("Read inputs from a file, one a line; - is standard input.", valueName: "file"))
  var files: [String] = []

  @Flag(
    name: .customLong("stdin"),
    help:
      "Read inputs from standard input, even if the command has no {}. Implied by -0, -n, --csv and --columns."
  )
  var readsInput = false

  @Flag(
    name: [.customShort("0"), .customLong("null")],
    help:
      "Inputs in files and on standard input are separated by NULs, as find -print0 writes them, not by newlines."
  )
  var isNullSeparated = false

  @Flag(
    name: .customLong("csv"),
    help: "Inputs are the rows of a CSV table, whose first row names the columns: {name}.")
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
    parsing: .unconditional,
    help: ArgumentHelp("Give each command up to this many inputs, in place of {}.", valueName: "number"))
  var groupSize: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Run the command this many times, without inputs: all at once, unless -j says otherwise.",
      valueName: "number"))
  var copies: Int?

  func check() throws {
    if let groupSize, groupSize < 1 { throw ValidationError("-n takes a number from 1 on") }
    if let copies {
      guard copies >= 1 else { throw ValidationError("--copies takes a number from 1 on") }
      if !files.isEmpty || readsStandardInput {
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

  /// Whether the command is run once: there are no inputs, and it is in no way said that there should be.
  func isAlone(_ template: CommandTemplate) -> Bool {
    files.isEmpty && !readsStandardInput && !template.hasPlaces && (copies ?? 1) == 1
  }

  private var readsStandardInput: Bool {
    readsInput || isNullSeparated || groupSize != nil || isCSV || separator != nil
  }

  /// - Throws: `ProgramProblem` if they come from nowhere, or from too many places, or can't be read.
  func source(_ words: RunWords, isAlone: Bool) throws(ProgramProblem) -> any InputSource {
    if let copies {
      guard words.lists.isEmpty else { throw .usage("--copies is for a command without inputs") }
      return CopiesSource(copies)
    }
    if isAlone { return CopiesSource(1) }
    let source: any InputSource
    if words.lists.isEmpty {
      var paths = files.map { ByteString($0) }
      if paths.isEmpty || readsInput { paths.append("-") }
      if paths.contains("-"), isatty(0) == 1 {
        complainOfRun("inputs are read from the terminal: one a line, up to ^D")
      }
      var sources: [any InputSource] = []
      for path in paths {
        sources.append(
          try RecordSource.open(path, separator: isNullSeparated ? 0 : UInt8(ascii: "\n"), columns: columns))
      }
      source = ChainedSource(sources)
    } else {
      guard files.isEmpty, !readsInput else {
        throw .usage(
          "inputs come from ::: and :::: (files), or from --input and standard input, not from both")
      }
      source = words.lists.count == 1 ? ListSource(words.lists[0]) : try ProductSource(words.lists)
    }
    return groupSize.map { GroupedSource(source, size: $0) } ?? source
  }

  /// Those of the columns, for which the first line of a table has to be read.
  func names(of source: any InputSource) throws(ProgramProblem) -> [String] {
    guard isCSV || hasHeader, let chain = source as? ChainedSource else { return [] }
    while true {
      guard case .waiting(let descriptor) = try chain.look() else { return chain.names }
      _ = isReadable(descriptor, within: -1)
    }
  }

  var columns: ColumnReader? {
    if isCSV {
      return ColumnReader(separator: separatorByte ?? UInt8(ascii: ","), hasQuotes: true, hasHeader: true)
    }
    return separatorByte.map { ColumnReader(separator: $0, hasQuotes: false, hasHeader: hasHeader) }
  }

  private var separatorByte: UInt8? { separator.map { $0 == "tab" ? UInt8(ascii: "\t") : $0.utf8.first! } }
}

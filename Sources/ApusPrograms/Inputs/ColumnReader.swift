import ApusSystem

/// Splits a line into columns: at a separator, with quotes as RFC 4180 has them if that is wanted.
package final class ColumnReader {
  private let separator: UInt8
  private let hasQuotes: Bool
  /// Whether the first line has the columns' names.
  package let hasHeader: Bool

  // Of a quoted field that goes on in the next line:
  private var fields: [ByteString] = []
  private var field: [UInt8] = []
  /// Whether the next line goes on with a quoted field.
  private(set) var isAmidField = false
  private var firstLine = 0

  package init(separator: UInt8, hasQuotes: Bool, hasHeader: Bool) {
    (self.separator, self.hasQuotes, self.hasHeader) = (separator, hasQuotes, hasHeader)
  }

  private static let quote = UInt8(ascii: "\"")
  private static let longestField = 64 << 20

  /// Nil if a quoted field goes on in the next line.
  func split(_ record: [UInt8], line: Int, _ name: String) throws(ProgramProblem) -> [ByteString]? {
    let end = record.last == UInt8(ascii: "\r") ? record.count - 1 : record.count
    var index = 0
    if isAmidField {
      field.append(UInt8(ascii: "\n"))
      guard try readQuoted(record, &index, name) else { return nil }
      try checkSeparator(record, index, end, name)
    } else {
      firstLine = line
      readField(record, &index, end)
      if isAmidField {
        guard try readQuoted(record, &index, name) else { return nil }
        try checkSeparator(record, index, end, name)
      }
    }
    fields.append(ByteString(field))
    while index < end {
      index += 1
      readField(record, &index, end)
      if isAmidField {
        guard try readQuoted(record, &index, name) else { return nil }
        try checkSeparator(record, index, end, name)
      }
      fields.append(ByteString(field))
    }
    defer { fields = [] }
    return fields
  }

  /// Nothing more follows.
  func checkEnd(_ name: String) throws(ProgramProblem) {
    if isAmidField { throw unclosed(name) }
  }

  private func unclosed(_ name: String) -> ProgramProblem {
    .input("\(name), line \(firstLine): a quote is not closed")
  }

  /// Reads a field up to its separator, or its opening quote.
  private func readField(_ record: [UInt8], _ index: inout Int, _ end: Int) {
    field = []
    if hasQuotes, index < end, record[index] == Self.quote {
      index += 1
      isAmidField = true
      return
    }
    let stop = record[index..<end].firstIndex(of: separator) ?? end
    field += record[index..<stop]
    index = stop
  }

  /// Goes on to the closing quote. False if it is not in this line.
  private func readQuoted(_ record: [UInt8], _ index: inout Int, _ name: String) throws(ProgramProblem)
    -> Bool
  {
    if field.count > Self.longestField { throw unclosed(name) }
    while index < record.count {
      if record[index] != Self.quote {
        field.append(record[index])
      } else if index + 1 < record.count, record[index + 1] == Self.quote {
        field.append(Self.quote)
        index += 1
      } else {
        index += 1
        isAmidField = false
        return true
      }
      index += 1
    }
    return false
  }

  private func checkSeparator(_ record: [UInt8], _ index: Int, _ end: Int, _ name: String)
    throws(ProgramProblem)
  {
    if index < end, record[index] != separator {
      throw .input(
        "\(name), line \(firstLine): after a closing quote there is something else than a separator")
    }
  }
}

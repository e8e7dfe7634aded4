import ApusSystem

/// Splits a line into columns: at a separator, with quotes as RFC 4180 has them.
package final class ColumnReader {
  package let separator: UInt8
  /// Whether the first line has the columns' names.
  package let hasHeader: Bool
  /// The lines of a quoted field that has not ended.
  private var open: [UInt8] = []
  private var firstLine = 0

  package init(separator: UInt8, hasHeader: Bool) {
    (self.separator, self.hasHeader) = (separator, hasHeader)
  }

  /// Nil if a quoted field goes on in the next line.
  func split(_ record: [UInt8], line: Int, _ name: String) throws(ProgramProblem) -> [ByteString]? {
    if open.isEmpty { firstLine = line }
    let bytes = open.isEmpty ? record : open + [UInt8(ascii: "\n")] + record
    let (quote, carriageReturn) = (UInt8(ascii: "\""), UInt8(ascii: "\r"))
    var (fields, field, index) = ([ByteString](), [UInt8](), 0)
    let end = bytes.last == carriageReturn ? bytes.count - 1 : bytes.count
    while true {
      if index < end, bytes[index] == quote, field.isEmpty {
        index += 1
        while true {
          guard index < bytes.count else {
            open = bytes
            return nil
          }
          if bytes[index] != quote {
            field.append(bytes[index])
          } else if index + 1 < bytes.count, bytes[index + 1] == quote {
            field.append(quote)
            index += 1
          } else {
            index += 1
            break
          }
          index += 1
        }
        if index < end, bytes[index] != separator {
          throw .input(
            "\(name), line \(firstLine): after a closing quote there is something else than a separator")
        }
      } else {
        while index < end, bytes[index] != separator {
          field.append(bytes[index])
          index += 1
        }
      }
      fields.append(ByteString(field))
      field = []
      guard index < end else { break }
      index += 1
    }
    open = []
    return fields
  }

  /// Nothing more follows.
  func checkEnd(_ name: String) throws(ProgramProblem) {
    if !open.isEmpty { throw .input("\(name), line \(firstLine): a quote is not closed") }
  }
}

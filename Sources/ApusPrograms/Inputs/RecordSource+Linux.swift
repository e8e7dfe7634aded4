package import ApusSystem
import Glibc

/// Inputs from a file or a pipe, one a line or up to a NUL, read as they are needed.
package final class RecordSource: InputSource {
  private let file: OwnedDescriptor
  private let name: String
  private let separator: UInt8
  private let columns: ColumnReader?
  private var buffer: [UInt8] = []
  /// How much of the buffer is used up, and how much of the rest is known to have no separator.
  private var (used, searched) = (0, 0)
  private var hasEnded = false
  private var line = 0
  package private(set) var names: [String] = []
  package let count: Int? = nil

  private static let longestRecord = 64 << 20

  /// - Parameter columns: How a record is split into columns; nil: it is one.
  package init(_ file: OwnedDescriptor, name: String, separator: UInt8, columns: ColumnReader?) {
    (self.file, self.name, self.separator, self.columns) = (file, name, separator, columns)
  }

  /// - Throws: `ProgramProblem` if it can't be read.
  package static func open(
    _ path: ByteString, separator: UInt8, columns: ColumnReader?
  ) throws(ProgramProblem) -> RecordSource {
    let isInput = path == ByteString("-")
    let number =
      isInput
      ? fcntl(0, F_DUPFD_CLOEXEC, 3) : path.withCString { Glibc.open($0, O_RDONLY | O_CLOEXEC | O_NOCTTY) }
    let name = isInput ? "standard input" : path.description
    if number < 0 { throw .file("\(name) can't be read: \(String(cString: strerror(errno)))") }
    return RecordSource(OwnedDescriptor(number), name: name, separator: separator, columns: columns)
  }

  package func next() throws(ProgramProblem) -> DrawnInput {
    while true {
      guard let record = try nextRecord() else {
        guard hasEnded else { return .waiting(file.number) }
        try columns?.checkEnd(name)
        return .end
      }
      line += 1
      // Nobody means an empty line as an input; who does, ends inputs with NULs.
      if record.isEmpty || record == [UInt8(ascii: "\r")], separator != 0, columns?.isAmidField != true {
        continue
      }
      guard let columns else { return .row(InputRow([ByteString(record)])) }
      guard let fields = try columns.split(record, line: line, name) else {
        continue  // it goes on in the next line
      }
      if columns.hasHeader, names.isEmpty {
        names = fields.map(\.description)
        continue
      }
      if !names.isEmpty, fields.count != names.count {
        throw .input(
          "\(name), line \(line): \(fields.count) columns, and the first line names \(names.count)")
      }
      return .row(InputRow(fields))
    }
  }

  /// Nil at the end, or if there is no more to be read for now.
  private func nextRecord() throws(ProgramProblem) -> [UInt8]? {
    while true {
      if let end = buffer[searched...].firstIndex(of: separator) {
        defer { (used, searched) = (end + 1, end + 1) }
        return Array(buffer[used..<end])
      }
      searched = buffer.count
      if hasEnded {
        guard used < buffer.count else { return nil }
        defer { (used, searched) = (buffer.count, buffer.count) }
        return Array(buffer[used...])
      }
      guard try fill() else { return nil }
    }
  }

  /// Reads what there is. False if that would have to be waited for.
  private func fill() throws(ProgramProblem) -> Bool {
    if used > 0 {
      buffer.removeFirst(used)
      (used, searched) = (0, searched - used)
    }
    if buffer.count > Self.longestRecord {
      throw .input("\(name), line \(line + 1) is longer than \(Self.longestRecord >> 20) MiB")
    }
    var waiting = pollfd(fd: file.number, events: Int16(POLLIN), revents: 0)
    guard poll(&waiting, 1, 0) > 0 else { return false }
    let before = buffer.count
    var count = 0
    buffer.append(contentsOf: repeatElement(0, count: 64 << 10))
    buffer.withUnsafeMutableBytes { bytes in
      repeat {
        count = read(file.number, bytes.baseAddress! + before, bytes.count - before)
      } while count < 0 && errno == EINTR
    }
    let error = errno
    buffer.removeLast(buffer.count - before - max(0, count))
    if count < 0 {
      if error == EAGAIN { return false }
      throw .file("\(name) can't be read: \(String(cString: strerror(error)))")
    }
    if count == 0 { hasEnded = true }
    // A byte order mark, as spreadsheets write it, is no part of the first name.
    if line == 0, used == 0, searched == 0, columns != nil, buffer.starts(with: [0xef, 0xbb, 0xbf]) {
      buffer.removeFirst(3)
    }
    return true
  }
}

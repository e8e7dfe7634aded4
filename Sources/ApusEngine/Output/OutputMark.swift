/// What a worker writes into its own output, to both streams, when it begins a task and when it has ended it: so that each
/// line is known to be of the task that printed it, however late it is read.
///
/// A line for itself, or the end of one that a task has left open: a byte that no text holds, a number that the worker alone
/// was given, and the task's.
enum OutputMark {
  /// Instead of a task's number: none is begun.
  static let noTask = UInt64.max
  private static let start: UInt8 = 0x1E
  /// Bytes of one, without the newline.
  static let length = 33

  /// Calls `body` with a mark and its newline.
  static func with<Result>(
    _ token: UInt64, _ sequence: UInt64, _ body: (UnsafeRawBufferPointer) -> Result
  ) -> Result {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: length + 1) { bytes in
      bytes.initialize(repeating: start)
      for digit in 0..<16 {
        let shift = UInt64(60 - 4 * digit)
        bytes[1 + digit] = hexadecimal(token >> shift & 15)
        bytes[17 + digit] = hexadecimal(sequence >> shift & 15)
      }
      bytes[length] = UInt8(ascii: "\n")
      return body(UnsafeRawBufferPointer(bytes))
    }
  }

  private static func hexadecimal(_ digit: UInt64) -> UInt8 {
    (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10) + UInt8(digit)
  }

  /// The task's number, if a line (without its newline) ends in a mark.
  static func sequence(endOf line: UnsafeRawBufferPointer, _ token: UInt64) -> UInt64? {
    guard line.count >= length else { return nil }
    let mark = UnsafeRawBufferPointer(rebasing: line.suffix(length))
    guard mark[0] == start, number(mark[1..<17]) == token else { return nil }
    return number(mark[17..<33])
  }

  private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt64? {
    UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
  }

  /// How many bytes at the end of what goes on may be the beginning of a mark.
  static func begun(atEndOf bytes: UnsafeRawBufferPointer) -> Int {
    guard let place = bytes.suffix(length).lastIndex(of: start) else { return 0 }
    return bytes.count - place
  }
}

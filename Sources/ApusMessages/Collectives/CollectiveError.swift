/// A collective operation was called with arguments that can't be, or got bytes that no rank of the same
/// program sends.
package struct CollectiveError: Error, Sendable, CustomStringConvertible {
  package enum Code: Sendable {
    /// A root, a count or a length that can't be. Nothing has been sent.
    case invalidArgument
    /// What came from another rank is not what the operation needs.
    case malformed
  }

  package let code: Code
  package let description: String

  static func invalid(_ description: String) -> CollectiveError {
    CollectiveError(code: .invalidArgument, description: description)
  }

  static func malformed(_ description: String) -> CollectiveError {
    CollectiveError(code: .malformed, description: description)
  }
}

extension PointToPoint {
  func check(root: Int) throws {
    guard root >= 0, root < size else {
      throw CollectiveError.invalid("The root is rank \(root), and there are \(size) ranks.")
    }
  }

  func check(length: Int, stride: Int) throws {
    guard stride > 0, length % stride == 0 else {
      throw CollectiveError.invalid("\(length) bytes are no array of elements of \(stride) bytes.")
    }
  }

  func check(length: Int, expected: Int, _ what: String) throws {
    guard length == expected else {
      throw CollectiveError.invalid("The memory for \(what) has \(length) bytes; it takes \(expected).")
    }
  }
}

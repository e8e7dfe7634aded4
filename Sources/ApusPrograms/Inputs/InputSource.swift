/// What an input source has next.
package enum DrawnInput {
  case row(InputRow)
  /// Nothing before this descriptor is readable.
  case waiting(Int32)
  case end
}

/// Where inputs come from: drawn one by one, as they are needed.
package protocol InputSource: AnyObject {
  /// The columns' names, if they have some. Known once the first input was drawn.
  var names: [String] { get }
  /// How many inputs there are, if that is known already.
  var count: Int? { get }
  func next() throws(ProgramProblem) -> DrawnInput
}

extension InputSource {
  package var names: [String] { [] }
}

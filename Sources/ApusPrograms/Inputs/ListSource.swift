/// Inputs that are there already.
package final class ListSource: InputSource {
  private var rows: ArraySlice<InputRow>
  package let count: Int?

  package init(_ rows: [InputRow]) { (self.rows, count) = (rows[...], rows.count) }

  package func next() -> DrawnInput { rows.popFirst().map { .row($0) } ?? .end }
}

/// The same input so many times: none at all, for copies of one command.
package final class CopiesSource: InputSource {
  private var left: Int
  package let count: Int?

  package init(_ copies: Int) { (left, count) = (copies, copies) }

  package func next() -> DrawnInput {
    guard left > 0 else { return .end }
    left -= 1
    return .row(InputRow([]))
  }
}

package import ApusSystem

/// One input: its columns, mostly one.
package struct InputRow: Sendable, Hashable {
  package var fields: [ByteString]

  package init(_ fields: [ByteString]) { self.fields = fields }
}

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

/// Every combination of the inputs of several lists, the last of which changes fastest.
package final class ProductSource: InputSource {
  private let lists: [[InputRow]]
  private var place = 0
  package let count: Int?

  /// - Throws: `ProgramProblem` if there are more than can be counted.
  package init(_ lists: [[InputRow]]) throws(ProgramProblem) {
    self.lists = lists
    var total = 1
    for list in lists {
      let (product, overflow) = total.multipliedReportingOverflow(by: list.count)
      if overflow { throw .usage("the combinations of these inputs are too many to count") }
      total = product
    }
    count = total
  }

  package func next() -> DrawnInput {
    guard place < count! else { return .end }
    var (rest, fields) = (place, [[ByteString]]())
    for list in lists.reversed() {
      fields.append(list[rest % list.count].fields)
      rest /= list.count
    }
    place += 1
    return .row(InputRow(fields.reversed().flatMap { $0 }))
  }
}

/// So many inputs at a time as one.
package final class GroupedSource: InputSource {
  private let source: any InputSource
  private let size: Int
  private var rows: [InputRow] = []

  package init(_ source: any InputSource, size: Int) { (self.source, self.size) = (source, size) }

  package var count: Int? { source.count.map { ($0 + size - 1) / size } }

  package func next() throws(ProgramProblem) -> DrawnInput {
    while rows.count < size {
      switch try source.next() {
      case .row(let row): rows.append(row)
      case .waiting(let descriptor): return .waiting(descriptor)
      case .end:
        if rows.isEmpty { return .end }
        return take()
      }
    }
    return take()
  }

  private func take() -> DrawnInput {
    defer { rows = [] }
    return .row(InputRow(rows.flatMap(\.fields)))
  }
}

import ApusSystem

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

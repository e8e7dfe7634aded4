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

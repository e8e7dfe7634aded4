/// The inputs of several sources, one after the other.
package final class ChainedSource: InputSource {
  private var sources: ArraySlice<any InputSource>
  /// One that was drawn already.
  private var ahead: InputRow?
  package private(set) var names: [String] = []
  package let count: Int? = nil

  package init(_ sources: [any InputSource]) { self.sources = sources[...] }

  package func next() throws(ProgramProblem) -> DrawnInput {
    if let row = ahead {
      ahead = nil
      return .row(row)
    }
    while let source = sources.first {
      let drawn = try source.next()
      if !source.names.isEmpty {
        if names.isEmpty { names = source.names }
        guard source.names == names else { throw .input("the files' columns have different names") }
      }
      if case .end = drawn { sources.removeFirst() } else { return drawn }
    }
    return .end
  }

  /// Draws the first, and gives it out next.
  package func look() throws(ProgramProblem) -> DrawnInput {
    let drawn = try next()
    if case .row(let row) = drawn { ahead = row }
    return drawn
  }
}

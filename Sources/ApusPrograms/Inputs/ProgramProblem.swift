/// Why a run can't begin, or can't go on.
package enum ProgramProblem: Error, Sendable, Hashable, CustomStringConvertible {
  /// What was asked for makes no sense.
  case usage(String)
  /// An input is not as it should be.
  case input(String)
  /// A file of the run's can't be read or written.
  case file(String)

  package var description: String {
    switch self {
    case .usage(let text), .input(let text), .file(let text): text
    }
  }
}

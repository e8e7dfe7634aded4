/// What becomes of what jobs print.
package enum OutputMode: String, Sendable, Hashable, CaseIterable {
  /// It is shown when the job has ended, in one piece.
  case group
  /// Each line as it comes, whole.
  case line
  /// The same behind the job's input, or its number.
  case tag
  /// Jobs have our own streams.
  case raw
}

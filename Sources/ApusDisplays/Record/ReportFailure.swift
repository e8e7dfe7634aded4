import ApusSystem

/// A report or a trace could not be written.
public struct ReportFailure: Error, Sendable, CustomStringConvertible {
  /// What could not be done, and why.
  public let description: String

  init(_ error: FileError) { description = error.description }
}

import ApusSystem

/// Ranks could not be started, or this process could not join the others as one.
package struct LaunchError: Error, Sendable, CustomStringConvertible {
  package struct Code: Sendable, Hashable {
    private let name: String

    /// The environment variable of a rank holds no credential.
    package static let badCredential = Code(name: "badCredential")
    /// The launcher that gave the credential is gone, or can't be reached from here (another network namespace).
    package static let noLauncher = Code(name: "noLauncher")
    /// Another process is that rank already.
    package static let taken = Code(name: "taken")
    /// The launcher refuses for another reason: `message` says which.
    package static let refused = Code(name: "refused")
    /// What came is not what a launcher of this version says.
    package static let brokenProtocol = Code(name: "brokenProtocol")
    /// There are fewer than 1 or more than `RankCredential.mostRanks` ranks.
    package static let badCount = Code(name: "badCount")
    /// A program can't be started, or the system refused something else: `cause` says what.
    package static let system = Code(name: "system")
  }

  package let code: Code
  /// What happened and what to do about it.
  package let message: String
  package let cause: ProcessError?

  init(_ code: Code, _ message: String) {
    (self.code, self.message, cause) = (code, message, nil)
  }

  init(_ cause: ProcessError, _ message: String? = nil) {
    (code, self.message, self.cause) = (.system, message ?? cause.description, cause)
  }

  static func count(_ ranks: Int) -> LaunchError {
    LaunchError(.badCount, "\(ranks) ranks can't be started: 1 to \(RankCredential.mostRanks) can")
  }

  package var description: String { message }
}

package import ApusSystem

/// Why a command could not be started.
package struct StartFailure: Error, Sendable, Hashable {
  package let code: ProcessError.Code
  package let text: String

  package init(_ code: ProcessError.Code, _ text: String) { (self.code, self.text) = (code, text) }

  init(_ error: ProcessError) { self.init(error.code, error.description) }
}

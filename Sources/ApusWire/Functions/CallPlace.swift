/// Where a body was given, for the error that refuses it.
@usableFromInline
package struct CallPlace: Sendable {
  @usableFromInline let fileID: StaticString
  @usableFromInline let line: UInt

  @usableFromInline
  package init(_ fileID: StaticString, _ line: UInt) { (self.fileID, self.line) = (fileID, line) }

  /// As a compiler names it.
  var text: String { "\(fileID):\(line)" }
}

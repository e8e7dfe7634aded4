package import ApusSystem

/// One input: its columns, mostly one.
package struct InputRow: Sendable, Hashable {
  package var fields: [ByteString]

  package init(_ fields: [ByteString]) { self.fields = fields }
}

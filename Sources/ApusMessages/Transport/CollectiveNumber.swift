/// Which of a communicator's collective operations a message belongs to: on all ranks the same call has the same
/// number, which stands where other messages have their type.
package struct CollectiveNumber: Sendable {
  private static let failure: UInt64 = 1 << 63
  private let value: UInt64

  init(_ value: UInt64) { self.value = value }

  var ofMessages: UInt64 { value }
  /// Of the word that a rank can't go on.
  var ofFailures: UInt64 { value | Self.failure }

  /// Whether a message belongs to a later one.
  func isBefore(_ envelope: Envelope) -> Bool { value < envelope.type & ~Self.failure }
}

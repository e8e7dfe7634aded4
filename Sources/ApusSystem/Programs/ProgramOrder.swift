/// A child program that is to be started, and how it is looked after.
package struct ProgramOrder {
  /// Makes the relay of one stream from its reading end.
  package typealias MakeRelay = (OwnedDescriptor) throws(ProcessError) -> LineRelay

  /// What becomes of processes that the program has left in its group when it ends.
  package enum Background: Sendable, Hashable {
    /// They are waited for: the program counts as running.
    case waits
    /// They are ended.
    case ends
  }

  package var request: SpawnRequest
  /// Nil: the program has our own stream.
  package var output: MakeRelay?
  package var errors: MakeRelay?
  /// Whether a last line without an end gets one.
  package var endsLines = true
  /// How long it may take, in nanoseconds.
  package var timeLimit: UInt64?
  /// How much memory it and what it has started may hold, in bytes.
  package var memoryLimit: UInt64?
  /// How long it has after SIGTERM, before SIGKILL.
  package var grace: UInt64 = 2_000_000_000
  package var background = Background.waits

  package init(_ request: SpawnRequest) {
    self.request = request
    (self.request.newProcessGroup, self.request.diesWithParent) = (true, true)
    self.request.groupEndsWithChild = false
  }
}

/// Lets what has this library loaded, such as an interpreter, end a wait.
package enum WaitInterruption {
  /// Asked by a thread that has slept while it waits for another rank, in the shared memory of one machine; true ends the
  /// wait with `WaitInterrupted`. It may run code of the program's.
  ///
  /// Sound: set once, before the first wait.
  nonisolated(unsafe) package static var isWanted: (() -> Bool)?
}

/// A wait was ended by `WaitInterruption`. A message that was being sent is taken back.
package struct WaitInterrupted: Error, CustomStringConvertible {
  package init() {}
  package var description: String { "it was interrupted by a signal" }
}

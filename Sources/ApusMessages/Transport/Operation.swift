/// A send or a receive that goes on while its rank does something else.
///
/// The transport calls `accept` with the message of a receive, on the thread that happens to drive it.
package final class Operation: @unchecked Sendable {
  // Sound: used by the thread that drives the transport alone, and by the owner once `isDone`, which is set under
  // the transport's rule of one thread at a time.

  package enum Kind {
    case receive(Selector)
    case send(bytes: UnsafeRawBufferPointer, envelope: Envelope, destination: Int)
  }

  package let kind: Kind
  @exclusivity(unchecked) package private(set) var isDone = false
  package private(set) var error: (any Error)?
  /// Called once it is done, on a thread that drives the transport and holds no lock of ours. Set before the start, or
  /// inside of the transport.
  package var whenDone: (@Sendable () -> Void)?

  /// Takes or drops the message of a receive.
  private let accept: (IncomingMessage, any MessageSource) throws -> Void
  /// The owner of a send's bytes: transports keep an operation until they have done with them.
  private let kept: Any?

  package init(
    _ kind: Kind, keeping kept: Any? = nil,
    accept: @escaping (IncomingMessage, any MessageSource) throws -> Void = { $1.drop($0) }
  ) {
    (self.kind, self.kept, self.accept) = (kind, kept, accept)
  }

  package func accept(_ message: IncomingMessage, from source: some MessageSource) throws {
    try accept(message, source)
  }

  /// Has `call` called when it is over; false if it is. Inside of the transport.
  package func tell(_ call: @escaping @Sendable () -> Void) -> Bool {
    if isDone { return false }
    if let other = whenDone {
      whenDone = {
        other()
        call()
      }
    } else {
      whenDone = call
    }
    return true
  }

  /// For the transport, which then calls `whenDone`.
  package func finish(_ error: (any Error)? = nil) {
    self.error = error
    isDone = true
  }
}

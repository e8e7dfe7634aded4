import ApusWire

/// Which messages a receive takes.
package struct Selector: Equatable, Sendable {
  /// The communicator's own number, so that its messages meet no others.
  package var context: UInt32
  /// The rank in the world, or `any`.
  package var source: Int32
  /// The tag, or `any`.
  package var tag: Int32

  package static let any: Int32 = -1
  /// What stands for `any` among ranks of a communicator and tags as a caller gives them, where -1 is a mistake.
  package static let all = Int.min

  package init(context: UInt32, source: Int32, tag: Int32) {
    (self.context, self.source, self.tag) = (context, source, tag)
  }
}

/// What a message says about itself, in front of its bytes.
package struct Envelope: Equatable, Sendable {
  package var context: UInt32
  /// The sender's rank in the world.
  package var source: Int32
  package var tag: Int32
  /// What the bytes are; see `TypeCode`.
  package var type: UInt64
  /// How many bytes follow.
  package var count: Int

  @inline(__always)
  package func fits(_ selector: Selector) -> Bool {
    context == selector.context && (selector.tag == Selector.any || selector.tag == tag)
      && (selector.source == Selector.any || selector.source == source)
  }
}

/// A message that a receive has got hold of, and whose bytes are still to be fetched: exactly one `take` or `drop`
/// follows, before anything else is asked of the transport.
package struct IncomingMessage {
  package enum Place {
    /// At the head of the ring from its source.
    case ring
    /// In our memory already.
    case stored(ByteBuffer)
    /// Still in its sender's memory: it waits until somebody says where the bytes go.
    case remote(Rendezvous)
  }

  package var envelope: Envelope
  package var place: Place
}

/// A large message in its sender's memory.
package struct Rendezvous: Sendable {
  package var address: UInt64
  /// The sender's number of the message.
  package var number: UInt64
  /// Whether the sender waits for it to be taken, and does nothing else.
  package var isAwaited = false
}

/// Who can fetch the bytes of a message.
package protocol MessageSource {
  /// Fetches a message's bytes, as many as its envelope says.
  func take(_ message: IncomingMessage, into destination: UnsafeMutableRawPointer) throws

  /// Does away with a message whose bytes nobody wants.
  func drop(_ message: IncomingMessage)
}

/// Where messages travel: the shared memory of one machine, or an MPI library. Ranks are those of the world.
///
/// One thread at a time, unless the transport was made for several.
package protocol Transport: AnyObject, Sendable, MessageSource {
  var rank: Int { get }
  var size: Int { get }

  /// Sends, and returns when the bytes may be changed again. A large message waits for its receiver.
  func send(_ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int) throws

  /// Sends if that needs no waiting at all, and nothing else if not.
  func sendIfRoom(_ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int) throws -> Bool

  /// Waits for a message.
  func message(_ selector: Selector) throws -> IncomingMessage

  /// A message that is there, or comes within a microsecond or so. Nil also where the transport has no quick way to tell.
  func messageIfThere(_ selector: Selector) throws -> IncomingMessage?

  /// Waits for a message that is one number and returns it, in its first bytes, where the transport has a shorter way for
  /// such. Nil if it has none, or if something else comes: then nothing is lost, and `message` is to be asked.
  func number(_ selector: Selector, type: UInt64) throws -> UInt64?

  /// What the next message says of itself, which stays where it is; waits for one, or returns nil.
  func probe(_ selector: Selector, waits: Bool) throws -> Envelope?

  /// Whether a message seems to be there; nothing is moved for that.
  func isThere(_ selector: Selector) -> Bool

  /// Starts an operation that goes on while others are called. See `Operation`. Like `tell` and `cancel` it may be called
  /// with a lock held: what others wait for, and ends by it, they are told by another thread.
  func start(_ operation: Operation) throws

  /// Moves started operations on, without waiting.
  func progress() throws

  /// Waits until an operation is over.
  func wait(for operation: Operation) throws

  /// Has `call` called when an operation is over, for which nobody waits in another way. False if it is over, and nothing
  /// will be called.
  func tell(_ call: @escaping @Sendable () -> Void, of operation: Operation) throws -> Bool

  /// Gives up a receive, which then ends with `CancellationError`. False if its message has come.
  func cancel(_ operation: Operation) -> Bool

  /// Lets several threads call from now on. Called by the one that may.
  func share() throws

  /// Does away with what came, and what still comes, for collective operations up to this one: the rank gave it up.
  func refuse(_ context: UInt32, upTo number: CollectiveNumber)

  /// All ranks have called a later collective operation: nothing more comes for what this one gave up.
  func endRefusing(_ context: UInt32)

  /// There will be none: the communicator is gone. Once all ranks have called a barrier of the world, nothing more comes
  /// either.
  func abandonRefusing(_ context: UInt32)

  /// There is a communicator that has not all ranks; `nil`: there was.
  func form(_ context: UInt32, of members: [Int32]?)

  /// Moves on what was started, and what can't come any more ends with its error; then waits a bounded time for
  /// something to happen. For a thread of its own.
  func progressOrSleep()

  /// Ends the whole job.
  func abort(_ status: Int32) -> Never
}

extension Transport {
  package func endRefusing(_ context: UInt32) {}
  package func abandonRefusing(_ context: UInt32) {}

  package func sendIfRoom(
    _ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int
  ) throws -> Bool { false }

  package func number(_ selector: Selector, type: UInt64) throws -> UInt64? { nil }

  package func isThere(_ selector: Selector) -> Bool { false }

  package func messageIfThere(_ selector: Selector) throws -> IncomingMessage? { nil }
}

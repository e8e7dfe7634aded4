/// What a rank keeps between a transport and those who receive: messages that came before somebody asked for them, and
/// receives that were started before their message came. Both in order.
///
/// For one thread at a time; the transport sees to it. A class, since fetching a message can bring others.
final class Mailbox {
  @exclusivity(unchecked) private(set) var unexpected: [IncomingMessage] = []
  @exclusivity(unchecked) private(set) var posted: [Operation] = []
  /// Who is to be told of operations that are over, once the transport is free.
  @exclusivity(unchecked) private var told: [@Sendable () -> Void] = []
  /// How many operations are over.
  @exclusivity(unchecked) private(set) var finished: UInt64 = 0
  /// Collective operations that this rank gave up: what still comes for them is for nobody.
  @exclusivity(unchecked) private var refused: [UInt32: CollectiveNumber] = [:]

  @inline(__always)
  var isEmpty: Bool { unexpected.isEmpty && posted.isEmpty }

  /// Takes the first message that fits.
  func take(_ selector: Selector) -> IncomingMessage? {
    if unexpected.isEmpty { return nil }
    return unexpected.firstIndex { $0.envelope.fits(selector) }.map { unexpected.remove(at: $0) }
  }

  /// What the first message that fits says of itself.
  func peek(_ selector: Selector) -> Envelope? {
    if unexpected.isEmpty { return nil }
    return unexpected.first { $0.envelope.fits(selector) }?.envelope
  }

  /// Whether a receive waits for such a message.
  func expects(_ envelope: Envelope) -> Bool { !posted.isEmpty && index(envelope) != nil }

  private func index(_ envelope: Envelope) -> Int? {
    posted.firstIndex {
      if case .receive(let selector) = $0.kind { envelope.fits(selector) } else { false }
    }
  }

  /// Takes the receive out that waits for such a message: whoever does completes it.
  func claim(_ envelope: Envelope) -> Operation? { index(envelope).map { posted.remove(at: $0) } }

  /// Gives a message to the receive that waits for it, or keeps it.
  func settle(_ message: IncomingMessage, _ source: some MessageSource) {
    if let operation = claim(message.envelope) { return complete(operation, message, source) }
    if refuses(message.envelope) { return source.drop(message) }
    unexpected.append(message)
  }

  /// Whether a message is for a collective operation that this rank gave up.
  func refuses(_ envelope: Envelope) -> Bool {
    refused[envelope.context].map { !$0.isBefore(envelope) } ?? false
  }

  /// Starts a receive: its message is there, or it waits for it.
  func start(_ operation: Operation, _ selector: Selector, _ source: some MessageSource) {
    if let message = take(selector) {
      complete(operation, message, source)
    } else {
      posted.append(operation)
    }
  }

  func complete(_ operation: Operation, _ message: IncomingMessage, _ source: some MessageSource) {
    do {
      try operation.accept(message, from: source)
      finish(operation)
    } catch {
      finish(operation, error)
    }
  }

  func finish(_ operation: Operation, _ error: (any Error)? = nil) {
    operation.finish(error)
    finished &+= 1
    if let call = operation.whenDone { told.append(call) }
    operation.whenDone = nil
  }

  /// Gives a receive up.
  func cancel(_ operation: Operation, _ error: any Error = CancellationError()) -> Bool {
    guard let index = posted.firstIndex(where: { $0 === operation }) else { return false }
    posted.remove(at: index)
    finish(operation, error)
    return true
  }

  /// Does away with what came, and what still comes, for collective operations up to this one.
  func refuse(_ context: UInt32, upTo number: CollectiveNumber, _ source: some MessageSource) {
    refused[context] = number
    let stale = unexpected.filter { $0.envelope.context == context && !number.isBefore($0.envelope) }
    unexpected.removeAll { $0.envelope.context == context && !number.isBefore($0.envelope) }
    for message in stale { source.drop(message) }
  }

  /// Whether somebody is to be told.
  var hasCalls: Bool { !told.isEmpty }

  /// Who is to be told; each once.
  func takeCalls() -> [@Sendable () -> Void] {
    if told.isEmpty { return [] }
    defer { told = [] }
    return told
  }
}

import ApusWire

/// A message that is sent again and again from the same memory: what can be prepared is prepared once.
///
/// ```swift
/// let edge = try world.persistentSend(of: Double.self, count: 1000, to: right)
/// let ghost = try world.persistentReceive(of: Double.self, count: 1000, from: left)
/// for step in 0..<steps {
///   try edge.withElements { … }
///   try ghost.start()
///   try edge.start()
///   try ghost.wait()
///   try edge.wait()
/// }
/// ```
///
/// Under an MPI library it is one of the library's persistent requests. A persistent receive, and no other, takes such
/// messages. For one thread at a time.
public final class PersistentSend<Element: RawCodable> {
  private let message: PersistentMessage
  private let kind: (UnsafeMutableRawBufferPointer) -> Operation.Kind

  init(_ communicator: Communicator, count: Int, to destination: Int, tag: Int) throws {
    let world = try communicator.destination(destination, tag)
    let bytes = try PersistentBytes(of: Element.self, count)
    let envelope = Envelope(
      context: PersistentMessage.context(communicator), source: Int32(communicator.transport.rank),
      tag: Int32(tag), type: MessageType.code(of: [Element].self), count: bytes.count)
    message = try PersistentMessage(communicator, byteCount: bytes.count) { ranks, memory, transport in
      try transport.checkTag(envelope.tag)
      return try transport.calling { () throws(MPIFailure) in
        try ranks.persistentSend(UnsafeRawBufferPointer(memory), to: destination, tag: envelope.tag)
      }
    }
    message.header = MPIHeader(envelope, payloadTag: -1)
    kind = { .send(bytes: UnsafeRawBufferPointer($0), envelope: envelope, destination: world) }
  }

  /// Lends the elements, which are zero bits at first. Throws `MessageError` (`invalidArgument`) while they are under
  /// way, and what `body` throws.
  public func withElements<R>(_ body: (UnsafeMutableBufferPointer<Element>) throws -> R) throws -> R {
    try message.check()
    return try body(message.elements.bindMemory(to: Element.self))
  }

  /// Sends the elements. Waits for nothing. Throws `MessageError` (`invalidArgument`) if the last start was not waited
  /// for.
  public func start() throws { try message.start(kind) }

  /// Whether the elements may be changed again. Moves on what goes on.
  public func test() throws -> Bool { try message.test() }

  /// Waits until the elements may be changed again.
  @available(*, noasync, message: "await it instead")
  public func wait() throws { _ = try message.wait() }

  /// Waits until the elements may be changed again.
  public func wait() async throws {
    try await message.waitLooking()
    _ = try message.wait()
  }
}

/// A message that is received again and again into the same memory. See `PersistentSend`.
public final class PersistentReceive<Element: RawCodable> {
  private let message: PersistentMessage
  private let selector: Selector

  init(_ communicator: Communicator, count: Int, source: Int, tag: Int) throws {
    var selector = try communicator.selector(source, tag)
    selector.context = PersistentMessage.context(communicator)
    self.selector = selector
    let bytes = try PersistentBytes(of: Element.self, count)
    message = try PersistentMessage(communicator, byteCount: bytes.count) { ranks, memory, transport in
      try transport.checkTag(selector.tag)
      return try transport.calling { () throws(MPIFailure) in
        try ranks.persistentReceive(into: memory, from: max(source, -1), tag: selector.tag)
      }
    }
  }

  /// Lends the elements, which are zero bits at first. Throws `MessageError` (`invalidArgument`) while they are under
  /// way, and what `body` throws.
  public func withElements<R>(_ body: (UnsafeMutableBufferPointer<Element>) throws -> R) throws -> R {
    try message.check()
    return try body(message.elements.bindMemory(to: Element.self))
  }

  /// Begins to receive. Waits for nothing. Throws `MessageError` (`invalidArgument`) if the last start was not waited
  /// for.
  public func start() throws { try message.start { _ in .receive(self.selector) } }

  /// Whether the message has come. Moves on what goes on.
  public func test() throws -> Bool { try message.test() }

  /// Waits for the message, which then stands in the first elements.
  ///
  /// - Throws: `MessageError`: `typeMismatch`, `tooLong`, and as `Communicator.receive`.
  @available(*, noasync, message: "await it instead")
  @discardableResult
  public func wait() throws -> MessageStatus { try status(of: message.wait()) }

  /// Waits for the message, which then stands in the first elements. See the blocking form.
  @discardableResult
  public func wait() async throws -> MessageStatus {
    try await message.waitLooking()
    return try status(of: message.wait())
  }

  private func status(of envelope: Envelope?) throws -> MessageStatus {
    guard let envelope else {
      throw MessageError(.invalidArgument, "the persistent request was not started: nothing will come")
    }
    let type = WireType([Element].self)
    guard envelope.type == MessageType.code(of: [Element].self) else {
      throw MessageError(
        .typeMismatch,
        "a message of \(MessageType.name(of: envelope.type)) came, where "
          + "\(MessageType.name(of: [Element].self)) was expected; the message is gone",
        rank: message.communicator.here(envelope.source))
    }
    return message.communicator.status(envelope, type)
  }
}

extension Communicator {
  /// Prepares to send `count` elements again and again. Waits for nothing.
  ///
  /// - Throws: `MessageError`: `invalidArgument`.
  public func persistentSend<Element: RawCodable>(
    of type: Element.Type, count: Int, to destination: Int, tag: Int = 0
  ) throws -> PersistentSend<Element> {
    try PersistentSend(self, count: count, to: destination, tag: tag)
  }

  /// Prepares to receive up to `count` elements again and again. Waits for nothing.
  ///
  /// - Throws: `MessageError`: `invalidArgument`.
  public func persistentReceive<Element: RawCodable>(
    of type: Element.Type, count: Int, from source: some RankSelection, tag: some TagSelection = .any
  ) throws -> PersistentReceive<Element> {
    try PersistentReceive(self, count: count, source: source.rankOrAll, tag: tag.tagOrAll)
  }
}

/// How many bytes so many elements take.
private struct PersistentBytes {
  let count: Int

  init<Element>(of type: Element.Type, _ elements: Int) throws {
    let (count, overflow) = elements.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    guard elements >= 0, !overflow, count < Int.max / 2 else {
      throw MessageError(.invalidArgument, "\(elements) elements are no length of a message")
    }
    self.count = count
  }
}

extension PersistentMessage {
  /// Looks now and then: a library's request tells nobody that it is done.
  func waitLooking() async throws {
    try communicator.progress.share()
    var pause = LookPause()
    while try !test() { await pause.wait() }
  }
}

extension MPITransport {
  func checkTag(_ tag: Int32) throws {
    guard tag > tagLimit else { return }
    throw MessageError(
      .invalidArgument,
      "the tag \(tag) is too great for a persistent request: this MPI library's greatest is \(tagLimit)")
  }
}

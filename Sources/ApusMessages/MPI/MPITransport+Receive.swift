import ApusCore

extension MPITransport {
  func message(_ selector: Selector) throws -> IncomingMessage {
    try enter()
    defer { leave() }
    try checkSelf(selector)
    var turns = 0
    while true {
      if let found = mailbox.take(selector) { return found }
      if mayBlock {
        let message = try receiveAny(selector)
        if message.envelope.fits(selector) { return message }
        mailbox.settle(owned(message), MPIInside(self))
      } else if try !collect() {
        try advanceSends()
        pause(&turns)
      }
    }
  }

  func messageIfAny(_ selector: Selector) throws -> IncomingMessage? {
    try enter()
    defer { leave() }
    try progressInside()
    return mailbox.take(selector)
  }

  func probe(_ selector: Selector, waits: Bool) throws -> Envelope? {
    try enter()
    defer { leave() }
    if waits { try checkSelf(selector) }
    var turns = 0
    while true {
      try progressInside()
      if let envelope = mailbox.peek(selector) { return envelope }
      guard waits else { return nil }
      pause(&turns)
    }
  }

  /// A rank that waits for itself alone waits for ever.
  private func checkSelf(_ selector: Selector) throws {
    guard selector.source == Int32(rank) || size == 1, !isShared, mailbox.peek(selector) == nil else {
      return
    }
    throw MessageError(
      .deadlock, "rank \(rank) waits for a message from itself, which it can't send while it waits",
      rank: rank)
  }

  // MARK: From the library

  /// Waits inside the library for a message of that source and tag, of whatever communicator of ours.
  private func receiveAny(_ selector: Selector) throws -> IncomingMessage {
    let status = try calling { () throws(MPIFailure) in
      try headers.receive(
        into: landing, from: selector.source == Selector.any ? MPICommunicator.anyone : Int(selector.source),
        tag: selector.tag == Selector.any ? MPICommunicator.anyTag : selector.tag)
    }
    return try read(status)
  }

  /// Takes one message that has come, if there is one.
  private func collect() throws -> Bool {
    let found = try calling { () throws(MPIFailure) -> MPIStatus? in
      guard
        let message = try headers.immediateMatch(from: MPICommunicator.anyone, tag: MPICommunicator.anyTag)
      else { return nil }
      return try message.receive(into: landing)
    }
    guard let found else { return false }
    mailbox.settle(owned(try read(found)), MPIInside(self))
    return true
  }

  func progressInside() throws {
    while try collect() {}
    try advanceSends()
  }

  /// The message that lies in `landing`, whose bytes are copied: the next one will lie there too.
  private func read(_ status: MPIStatus) throws -> IncomingMessage {
    let header = landing.load(as: MPIHeader.self)
    let isShort = header.payloadTag < 0
    let count = Int(clamping: header.count)
    guard status.count >= MPIHeader.size, count >= 0,
      isShort ? status.count == MPIHeader.size + count : status.count == MPIHeader.size
    else {
      throw MessageError(
        .transport, "a message from rank \(status.source) has no header of Apus: it was sent by other means",
        rank: status.source)
    }
    let envelope = Envelope(
      context: header.context, source: Int32(status.source), tag: status.tag, type: header.type, count: count)
    if !isShort {
      let rendezvous = Rendezvous(address: 0, number: UInt64(header.payloadTag))
      return IncomingMessage(envelope: envelope, place: .remote(rendezvous))
    }
    // To lie in `landing` until it is taken is safe while nobody else can receive.
    let message = IncomingMessage(envelope: envelope, place: .ring)
    return mayBlock ? message : owned(message)
  }

  /// The message in memory of its own.
  private func owned(_ message: IncomingMessage) -> IncomingMessage {
    guard case .ring = message.place else { return message }
    let copy = ByteBuffer(capacity: message.envelope.count)
    let end = MPIHeader.size + message.envelope.count
    copy.append(contentsOf: UnsafeRawBufferPointer(rebasing: landing[MPIHeader.size..<end]))
    return IncomingMessage(envelope: message.envelope, place: .stored(copy))
  }

  func refuse(_ context: UInt32, upTo number: CollectiveNumber) {
    guard (try? enter()) != nil else { return }
    defer { leave() }
    mailbox.refuse(context, upTo: number, MPIInside(self))
  }

  // The library has no word of ranks that have ended, for which it would be needed.
  func form(_ context: UInt32, of members: [Int32]?) {}

  // MARK: Bytes

  func take(_ message: IncomingMessage, into destination: UnsafeMutableRawPointer) throws {
    try enter()
    defer { leave() }
    try takeInside(message, into: destination)
  }

  func drop(_ message: IncomingMessage) {
    guard (try? enter()) != nil else { return }
    defer { leave() }
    dropInside(message)
  }

  func takeInside(_ message: IncomingMessage, into destination: UnsafeMutableRawPointer) throws {
    let count = message.envelope.count
    switch message.place {
    case .ring:
      destination.copyMemory(
        from: landing.baseAddress! + MPIHeader.size, byteCount: min(count, Self.shortLimit))
    case .stored(let buffer):
      destination.copyMemory(from: buffer.baseAddress, byteCount: min(count, buffer.count))
    case .remote(let rendezvous):
      let buffer = UnsafeMutableRawBufferPointer(start: destination, count: count)
      let (source, tag) = (Int(message.envelope.source), Int32(rendezvous.number))
      if mayBlock {
        _ = try calling { () throws(MPIFailure) in try payloads.receive(into: buffer, from: source, tag: tag)
        }
      } else {
        try receiveWhileOthersMove(buffer, source, tag)
      }
    }
  }

  private func receiveWhileOthersMove(_ buffer: UnsafeMutableRawBufferPointer, _ source: Int, _ tag: Int32)
    throws
  {
    var request = try calling { () throws(MPIFailure) in
      try payloads.startReceive(into: buffer, from: source, tag: tag)
    }
    var turns = 0
    while try calling({ () throws(MPIFailure) in try request.test() }) == nil {
      try advanceSends()
      pause(&turns)
    }
  }

  func dropInside(_ message: IncomingMessage) {
    guard case .remote = message.place else { return }
    // MPI has no way to refuse a message.
    let count = message.envelope.count
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: max(1, count), alignment: 64)
    defer { scratch.deallocate() }
    try? takeInside(message, into: scratch)
  }

  // MARK: What goes on

  func start(_ operation: Operation) throws {
    try enter()
    defer { leave() }
    operation.isStarted = true
    switch operation.kind {
    case .send(let bytes, let envelope, let destination):
      try startSend(operation, bytes, envelope, to: destination)
    case .receive(let selector):
      mailbox.start(operation, selector, MPIInside(self))
      try progressInside()
    }
  }

  func progress() throws {
    try enter()
    defer { leave() }
    try progressInside()
  }

  func wait(for operation: Operation) throws {
    try enter()
    defer { leave() }
    try waitInside(for: operation)
  }

  func waitInside(for operation: Operation) throws {
    var turns = 0
    while !operation.isDone {
      try progressInside()
      if !operation.isDone { pause(&turns) }
    }
    if let error = operation.error { throw error }
  }

  func cancel(_ operation: Operation) -> Bool {
    guard (try? enter()) != nil else { return false }
    defer { leave() }
    return mailbox.cancel(operation)
  }

  func progressOrSleep() {
    guard (try? enter()) != nil else { return }
    defer { leave() }
    let before = mailbox.finished
    var turns = 0
    while mailbox.finished == before, turns < 1100 {
      do { try progressInside() } catch {
        for operation in mailbox.receives { _ = mailbox.cancel(operation, error) }
      }
      if mailbox.finished == before { pause(&turns) }
    }
  }
}

/// The transport as an operation sees it that is given its message by a thread which is inside already.
struct MPIInside: MessageSource {
  private let transport: MPITransport
  init(_ transport: MPITransport) { self.transport = transport }

  func take(_ message: IncomingMessage, into destination: UnsafeMutableRawPointer) throws {
    try transport.takeInside(message, into: destination)
  }

  func drop(_ message: IncomingMessage) { transport.dropInside(message) }
}

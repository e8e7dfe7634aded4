import ApusWire

extension MPITransport {
  func message(_ selector: Selector) throws -> IncomingMessage {
    try enter()
    defer { leave() }
    if mayBlock, mailbox.unexpected.isEmpty, selector.source != Int32(rank), size > 1 {
      let message = try receiveAny(selector)
      if message.envelope.fits(selector) { return message }
      settle(owned(message))
    }
    return try waitForMessage(selector)
  }

  func number(_ selector: Selector, type: UInt64) throws -> UInt64? {
    try enter()
    defer { leave() }
    guard mayBlock, mailbox.unexpected.isEmpty, selector.source != Int32(rank), size > 1,
      let expected = shortHeader.tag(context: selector.context, tag: selector.tag, type: type)
    else { return nil }
    let (source, tag) = try calling { () throws(MPIFailure) in
      try headers.receiveWithTag(into: landing, from: Int(selector.source))
    }
    if tag == expected { return landing.load(as: UInt64.self) }
    settle(owned(try read(tag, from: source)))
    return nil
  }

  private func waitForMessage(_ selector: Selector) throws -> IncomingMessage {
    try checkSelf(selector)
    var turns = 0
    while true {
      if let found = mailbox.take(selector) { return found }
      if mayBlock {
        let message = try receiveAny(selector)
        if message.envelope.fits(selector) { return message }
        settle(owned(message))
      } else if try !collect() {
        advanceSends()
        try pause(&turns)
      }
    }
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
      try pause(&turns)
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

  /// Waits inside the library for a message of that source, under whatever tag, of whatever communicator of ours.
  private func receiveAny(_ selector: Selector) throws -> IncomingMessage {
    let (source, tag) = try calling { () throws(MPIFailure) in
      try headers.receiveWithTag(into: landing, from: Int(selector.source))
    }
    return try read(tag, from: source)
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
    settle(owned(try read(found.tag, from: Int32(found.source))))
    return true
  }

  /// Moves on what was started. Throws what went wrong with receiving; a send's error is its own.
  func progressInside() throws {
    advanceSends()
    while try collect() {}
    fetchClaimed()
  }

  /// Gives a message to the receive that was started for it, or keeps it.
  private func settle(_ message: IncomingMessage) {
    // Fetching takes in other messages meanwhile, some of which may fetch in turn, so that their bytes travel at the same
    // time; but no more of them: the stack would grow with their number.
    if fetching >= Self.mostFetches, case .remote = message.place {
      if let operation = mailbox.claim(message.envelope) { return claimed.append((operation, message)) }
      if mailbox.refuses(message.envelope) { return claimed.append((nil, message)) }
    }
    mailbox.settle(message, MPIInside(self))
  }

  /// Fetches, or does away with, what had to wait for that.
  private func fetchClaimed() {
    guard fetching < Self.mostFetches, !claimed.isEmpty, !isFetchingClaimed else { return }
    isFetchingClaimed = true
    defer { isFetchingClaimed = false }
    while let (operation, message) = claimed.popFirst() {
      if let operation { mailbox.complete(operation, message, MPIInside(self)) } else { dropInside(message) }
    }
  }

  /// The message that lies in `landing`, whose bytes are copied: the next one will lie there too.
  @inline(__always)
  private func read(_ tag: Int32, from source: Int32) throws -> IncomingMessage {
    if tag == MPIShortHeader.none { return try readHeader() }
    guard let envelope = shortHeader.envelope(of: tag, from: source) else { throw Self.noHeader }
    // As if a header stood in front of it.
    let number = landing.load(as: UInt64.self)
    landing.storeBytes(of: number, toByteOffset: MPIHeader.size, as: UInt64.self)
    return inLanding(envelope)
  }

  private static var noHeader: MessageError {
    MessageError(.transport, "a message has no header of Apus: another rank has run wild")
  }

  private func readHeader() throws -> IncomingMessage {
    let header = landing.load(as: MPIHeader.self)
    guard header.canBe(among: size, mostBytes: mostBytes) else { throw Self.noHeader }
    let envelope = header.envelope
    if header.payloadTag >= 0 {
      let rendezvous = Rendezvous(address: 0, number: UInt64(header.payloadTag))
      return IncomingMessage(envelope: envelope, place: .remote(rendezvous))
    }
    return inLanding(envelope)
  }

  @inline(__always)
  private func inLanding(_ envelope: Envelope) -> IncomingMessage {
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
    defer { leaveUntold() }
    mailbox.refuse(context, upTo: number, MPIInside(self))
    // Who sends this rank something long for that operation waits until it is taken, and what this rank waits for next may
    // come from one that waits for those. A receive of what nobody sends has all waiting done outside of the library, where
    // whatever comes is taken.
    if refusals[context]?.isDone != false {
      let operation = Operation(
        .receive(Selector(context: context, source: Int32(rank), tag: .max)))
      refusals[context] = operation
      mailbox.start(operation, Selector(context: context, source: Int32(rank), tag: .max), MPIInside(self))
    }
  }

  func endRefusing(_ context: UInt32) {
    guard (try? enter()) != nil else { return }
    defer { leaveUntold() }
    guard !refusals.isEmpty else { return }
    var contexts = [context]
    // Whoever has called the world's barrier is through with what it called before of those. If it calls the two the
    // other way round, what it sends is still done away with: `Mailbox.refuse` stays.
    if Contexts.communicator(of: context) == 0 { contexts += takeAbandonedRefusals() }
    for context in contexts {
      if let operation = refusals.removeValue(forKey: context) { _ = mailbox.cancel(operation) }
    }
  }

  private func takeAbandonedRefusals() -> [UInt32] {
    abandonedRefusals.withLock { contexts in
      defer { contexts = [] }
      return contexts
    }
  }

  func abandonRefusing(_ context: UInt32) { abandonedRefusals.withLock { $0.append(context) } }

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
      destination.copyMemory(from: landing.baseAddress! + MPIHeader.size, byteCount: count)
    case .stored(let buffer):
      destination.copyMemory(from: buffer.baseAddress, byteCount: min(count, buffer.count))
    case .remote(let rendezvous):
      let buffer = UnsafeMutableRawBufferPointer(start: destination, count: count)
      let (source, tag) = (Int(message.envelope.source), Int32(rendezvous.number))
      if mayBlock {
        return try calling { () throws(MPIFailure) in
          try payloads.receiveBlindly(into: buffer, from: source, tag: tag)
        }
      }
      var request = try calling { () throws(MPIFailure) in
        try payloads.startReceive(into: buffer, from: source, tag: tag)
      }
      fetching += 1
      defer {
        fetching -= 1
        // Before anything waits inside the library: the senders wait for it.
        if fetching == 0 { fetchClaimed() }
      }
      try wait(for: &request)
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

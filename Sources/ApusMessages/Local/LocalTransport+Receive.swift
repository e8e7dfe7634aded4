import CApus
import ApusCore
import Glibc
import Synchronization

extension LocalTransport {
  @inline(__always)
  package func message(_ selector: Selector) throws -> IncomingMessage {
    try enter()
    defer { leave() }
    if !isShared, stored.isEmpty, receives.isEmpty, selector.source >= 0, let found = try head(selector) {
      return found
    }
    return ownIfShared(try waitForMessage(selector))
  }

  /// Another thread might move what lies in a ring before this one fetches it.
  private func ownIfShared(_ message: IncomingMessage) -> IncomingMessage {
    guard isShared, case .ring = message.place else { return message }
    let copy = ByteBuffer(capacity: message.envelope.count)
    let start = copy.uninitialized(count: message.envelope.count)
    takeRing(message.envelope, Int(message.envelope.source), into: start)
    return IncomingMessage(envelope: message.envelope, place: .stored(copy))
  }

  /// The message at the head of the ring from the selector's source, if it is there and is meant.
  @inline(__always)
  private func head(_ selector: Selector) throws -> IncomingMessage? {
    let pair = incoming + Int(selector.source)
    guard pair.pointee.hasNews else { return nil }
    let slot = pair.pointee.slot
    let way = slot.countAndWay & Slot.Way.mask
    let envelope = Envelope(
      context: slot.context, source: selector.source, tag: slot.tag, type: slot.type,
      count: Int(slot.countAndWay >> Slot.Way.bits))
    guard way == Slot.Way.inline, envelope.fits(selector) else { return nil }
    guard envelope.count <= Slot.inlineLimit else { throw Self.corrupted(envelope.source) }
    return IncomingMessage(envelope: envelope, place: .ring)
  }

  @inline(never)
  private func waitForMessage(_ selector: Selector) throws -> IncomingMessage {
    var waiting = Waiting(self)
    while true {
      if let found = try look(selector) { return found }
      try waiting.pause(selector) { $0.hasStored(selector) }
    }
  }

  func hasStored(_ selector: Selector) -> Bool {
    stored.contains { $0.envelope.fits(selector) }
  }

  package func messageIfAny(_ selector: Selector) throws -> IncomingMessage? {
    try enter()
    defer { leave() }
    advanceSends()
    return try look(selector).map(ownIfShared)
  }

  package func probe(_ selector: Selector, waits: Bool) throws -> Envelope? {
    try enter()
    defer { leave() }
    var waiting = Waiting(self)
    while true {
      try progressInside()
      if let message = stored.first(where: { $0.envelope.fits(selector) }) { return message.envelope }
      guard waits else { return nil }
      try waiting.pause(selector) { $0.hasStored(selector) }
    }
  }

  private func sources(_ selector: Selector) -> Range<Int> {
    selector.source >= 0 ? Int(selector.source)..<Int(selector.source) + 1 : 0..<size
  }

  /// A message for the selector that is there now. What else is at the heads of the rings it might come from is moved
  /// out of the way.
  private func look(_ selector: Selector) throws -> IncomingMessage? {
    if !stored.isEmpty, let index = stored.firstIndex(where: { $0.envelope.fits(selector) }) {
      return stored.remove(at: index)
    }
    for peer in sources(selector) where peer != rank {
      while (incoming + peer).pointee.hasNews {
        let slot = (incoming + peer).pointee.slot
        let (envelope, way) = try read(slot, from: peer)
        guard way < Slot.Way.piece, envelope.fits(selector), receiveThatFits(envelope) == nil else {
          try dispatch(peer)
          // It may have fetched a long message in pieces, and taken in others meanwhile.
          if !stored.isEmpty, let index = stored.firstIndex(where: { $0.envelope.fits(selector) }) {
            return stored.remove(at: index)
          }
          continue
        }
        if way == Slot.Way.remote { return remote(envelope, slot, peer) }
        return IncomingMessage(envelope: envelope, place: .ring)
      }
    }
    return nil
  }

  // MARK: Slots

  /// What a slot says, checked: its writer may have run wild.
  private func read(_ slot: Slot, from peer: Int) throws -> (Envelope, way: UInt64) {
    let countAndWay = slot.countAndWay
    let envelope = Envelope(
      context: slot.context, source: Int32(peer), tag: slot.tag, type: slot.type,
      count: Int(countAndWay >> Slot.Way.bits))
    let way = countAndWay & Slot.Way.mask
    switch way {
    case Slot.Way.inline: guard envelope.count <= Slot.inlineLimit else { throw Self.corrupted(peer) }
    case Slot.Way.remote:
      guard envelope.count <= 1 << 56 else { throw Self.corrupted(peer) }
    case Slot.Way.done, Slot.Way.stream: break
    default:
      guard way <= Slot.Way.piece else { throw Self.corrupted(peer) }
      let offset = Int(truncatingIfNeeded: slot.position & UInt64(memory.ringSize - 1))
      guard envelope.count <= memory.ringSize - offset else { throw Self.corrupted(peer) }
    }
    return (envelope, way)
  }

  static func corrupted(_ peer: some BinaryInteger) -> MessageError {
    MessageError(
      .transport, "rank \(peer) wrote something into the shared memory that can't be: it has run wild",
      rank: Int(peer))
  }

  /// Takes a message that stays with its sender out of its slot.
  private func remote(_ envelope: Envelope, _ slot: Slot, _ peer: Int) -> IncomingMessage {
    let rendezvous = Rendezvous(address: slot.position, number: slot.number)
    (incoming + peer).pointee.consume()
    wake((incoming + peer).pointee.peer)
    return IncomingMessage(envelope: envelope, place: .remote(rendezvous))
  }

  /// Moves the slot at the head of a ring to where it belongs: a piece to its message, a message to the receive that
  /// was started for it, or to the store.
  private func dispatch(_ peer: Int) throws {
    let slot = (incoming + peer).pointee.slot
    let (envelope, way) = try read(slot, from: peer)
    switch way {
    case Slot.Way.piece: try takePiece(slot, envelope, peer)
    case Slot.Way.remote: settle(remote(envelope, slot, peer))
    case Slot.Way.done, Slot.Way.stream:
      let number = slot.number
      (incoming + peer).pointee.consume()
      wake((incoming + peer).pointee.peer)
      try take(answer: way, to: number, from: peer)
    default:
      if receiveThatFits(envelope) != nil {
        settle(IncomingMessage(envelope: envelope, place: .ring))
      } else {
        let copy = ByteBuffer(capacity: envelope.count)
        let start = copy.uninitialized(count: envelope.count)
        takeRing(envelope, peer, into: start)
        stored.append(IncomingMessage(envelope: envelope, place: .stored(copy)))
      }
    }
  }

  private func receiveThatFits(_ envelope: Envelope) -> Int? {
    receives.isEmpty
      ? nil
      : receives.firstIndex {
        if case .receive(let selector) = $0.kind { envelope.fits(selector) } else { false }
      }
  }

  /// Gives a message to the receive that was started for it, or to the store.
  func settle(_ message: IncomingMessage) {
    guard let index = receiveThatFits(message.envelope) else { return stored.append(message) }
    let operation = receives.remove(at: index)
    complete(operation, message)
  }

  private func complete(_ operation: Operation, _ message: IncomingMessage) {
    do {
      try operation.accept(message, from: Inside(self))
      finish(operation)
    } catch {
      finish(operation, error)
    }
  }

  // MARK: Bytes

  @inline(__always)
  package func take(_ message: IncomingMessage, into destination: UnsafeMutableRawPointer) throws {
    if case .ring = message.place {
      try enter()
      defer { leave() }
      return takeRing(message.envelope, Int(message.envelope.source), into: destination)
    }
    try enter()
    defer { leave() }
    try takeInside(message, into: destination)
  }

  package func drop(_ message: IncomingMessage) {
    guard (try? enter()) != nil else { return }
    defer { leave() }
    dropInside(message)
  }

  @inline(__always)
  private func takeRing(_ envelope: Envelope, _ peer: Int, into destination: UnsafeMutableRawPointer) {
    let pair = incoming + peer
    let slot = pair.pointee.slot
    if slot.countAndWay & Slot.Way.mask == Slot.Way.inline {
      destination.copyMemory(from: slot.inline, byteCount: min(envelope.count, Slot.inlineLimit))
    } else {
      let position = slot.position
      let offset = Int(truncatingIfNeeded: position & UInt64(memory.ringSize - 1))
      destination.copyMemory(
        from: pair.pointee.memory.bytes + offset, byteCount: min(envelope.count, memory.ringSize - offset))
      pair.pointee.consumeBytes(to: position &+ UInt64((envelope.count + 63) & ~63))
    }
    pair.pointee.consume()
    wake(pair.pointee.peer)
  }

  func takeInside(_ message: IncomingMessage, into destination: UnsafeMutableRawPointer) throws {
    switch message.place {
    case .ring: takeRing(message.envelope, Int(message.envelope.source), into: destination)
    case .stored(let buffer):
      destination.copyMemory(from: buffer.baseAddress, byteCount: min(message.envelope.count, buffer.count))
    case .remote(let rendezvous): try fetch(message.envelope, rendezvous, into: destination)
    }
  }

  func dropInside(_ message: IncomingMessage) {
    switch message.place {
    case .ring:
      let pair = incoming + Int(message.envelope.source)
      let slot = pair.pointee.slot
      if slot.countAndWay & Slot.Way.mask != Slot.Way.inline {
        pair.pointee.consumeBytes(to: slot.position &+ UInt64((message.envelope.count + 63) & ~63))
      }
      pair.pointee.consume()
      wake(pair.pointee.peer)
    case .stored: break
    case .remote(let rendezvous):
      answer(Int(message.envelope.source), rendezvous.number, Slot.Way.done)
    }
  }

  private func fetch(
    _ envelope: Envelope, _ rendezvous: Rendezvous, into destination: UnsafeMutableRawPointer
  ) throws {
    let peer = Int(envelope.source)
    if canReadOthers {
      let process = Int32(
        truncatingIfNeeded: (incoming + peer).pointee.peer.process.pointee.load(ordering: .relaxed))
      let problem = apus_memory_read_from(process, rendezvous.address, destination, envelope.count)
      // In a job that fails senders give up, and with them their memory: what was copied may be anything.
      try checkJob(nil)
      if problem == 0 { return answer(peer, rendezvous.number, Slot.Way.done) }
      // Yama, a container's filter, another user namespace: it will not get better.
      if problem != ESRCH { canReadOthers = false }
    }
    streams.append(
      IncomingStream(
        source: envelope.source, number: rendezvous.number, destination: destination, rest: envelope.count))
    answer(peer, rendezvous.number, Slot.Way.stream)
    let isThis = { (stream: IncomingStream) in
      stream.source == envelope.source && stream.number == rendezvous.number
    }
    var waiting = Waiting(self)
    do {
      while streams.contains(where: isThis) {
        if (incoming + peer).pointee.hasNews {
          try dispatch(peer)
        } else {
          try waiting.pause(nil, to: peer) { !$0.streams.contains(where: isThis) }
        }
      }
    } catch {
      // The destination is the caller's, who goes on: what still comes is read and forgotten.
      if let index = streams.firstIndex(where: isThis) { streams[index].destination = nil }
      throw error
    }
  }

  private func takePiece(_ slot: Slot, _ envelope: Envelope, _ peer: Int) throws {
    let index = streams.firstIndex {
      $0.source == envelope.source && $0.number == slot.number
    }
    guard let index, envelope.count <= streams[index].rest else { throw Self.corrupted(peer) }
    if let destination = streams[index].destination {
      takeRing(envelope, peer, into: destination)
      streams[index].destination = destination + envelope.count
    } else {
      dropInside(IncomingMessage(envelope: envelope, place: .ring))
    }
    streams[index].rest -= envelope.count
    if streams[index].rest == 0 { streams.remove(at: index) }
  }

  // MARK: Receives that go on

  package func start(_ operation: Operation) throws {
    try enter()
    defer { leave() }
    switch operation.kind {
    case .send(let bytes, let envelope, let destination):
      startSend(operation, bytes, envelope, to: destination)
    case .receive(let selector):
      if let found = try look(selector) {
        complete(operation, found)
      } else {
        receives.append(operation)
      }
    }
  }

  package func progress() throws {
    try enter()
    defer { leave() }
    try progressInside()
  }

  /// Takes what has come out of the rings, and moves started sends on.
  func progressInside() throws {
    for peer in 0..<size where peer != rank {
      while (incoming + peer).pointee.hasNews { try dispatch(peer) }
    }
    advanceSends()
  }

  package func wait(for operation: Operation) throws {
    try enter()
    defer { leave() }
    try waitInside(for: operation)
  }

  func waitInside(for operation: Operation) throws {
    var (selector, destination): (Selector?, Int?) = (nil, nil)
    switch operation.kind {
    case .receive(let wanted): selector = wanted
    case .send(_, _, let receiver): destination = receiver
    }
    var waiting = Waiting(self)
    do {
      while !operation.isDone {
        try progressInside()
        if !operation.isDone { try waiting.pause(selector, to: destination) { _ in operation.isDone } }
      }
    } catch {
      // Its bytes are the caller's, who goes on.
      withdraw(operation)
      throw error
    }
    if let error = operation.error { throw error }
  }

  package func cancel(_ operation: Operation) -> Bool {
    guard (try? enter()) != nil else { return false }
    defer { leave() }
    guard let index = receives.firstIndex(where: { $0 === operation }) else { return false }
    receives.remove(at: index)
    finish(operation, CancellationError())
    return true
  }

  package func progressOrSleep() {
    guard (try? enter()) != nil else { return }
    defer { leave() }
    var waiting = Waiting(self)
    let before = finished
    while finished == before, waiting.isAwake {
      do {
        try progressInside()
        endHopeless()
        if finished == before { try waiting.pause(nil) { $0.finished != before } }
      } catch {
        endAll(error)
        // Those who are told have to come in before this is tried again.
        return pauseLock { usleep(1000) }
      }
    }
  }

  /// Started receives whose message can't come any more end with the reason.
  private func endHopeless() {
    for peer in 0..<size where peer != rank && hasPending(peer) {
      do { try checkReceiver(peer) } catch { giveUp(peer, error) }
    }
    for operation in receives {
      guard case .receive(let selector) = operation.kind else { continue }
      do { try checkJob(selector) } catch {
        receives.removeAll { $0 === operation }
        finish(operation, error)
      }
    }
  }

  private func endAll(_ error: any Error) {
    let operations = receives
    receives = []
    for operation in operations { finish(operation, error) }
    for peer in 0..<size where peer != rank { giveUp(peer, error) }
  }
}

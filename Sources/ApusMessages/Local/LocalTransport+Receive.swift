import ApusWire
import CApus

extension LocalTransport {
  @inline(__always)
  package func message(_ selector: Selector) throws -> IncomingMessage {
    try gate.enter()
    defer { gate.leave() }
    if !gate.isShared, mailbox.isEmpty, selector.source >= 0 {
      var looks = quickLooks
      while looks > 0, !(incoming + Int(selector.source)).pointee.hasNews {
        _ = apus_relax()
        looks -= 1
      }
      if let found = try head(selector) { return found }
    }
    return ownIfShared(try waitForMessage(selector))
  }

  package func messageIfThere(_ selector: Selector) throws -> IncomingMessage? {
    try gate.enter()
    defer { gate.leave() }
    if mailbox.isEmpty, selector.source >= 0 {
      var looks = quickLooks
      while looks > 0, !(incoming + Int(selector.source)).pointee.hasNews {
        _ = apus_relax()
        looks -= 1
      }
    }
    return try look(selector).map { ownIfShared($0) }
  }

  /// Another thread might move what lies in a ring before this one fetches it.
  private func ownIfShared(_ message: IncomingMessage) -> IncomingMessage {
    guard gate.isShared, case .ring = message.place else { return message }
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
    var waiting = Waiting(self, for: .message(selector))
    while true {
      if let found = try look(selector) { return found }
      try waiting.pause { $0.mailbox.peek(selector) != nil }
    }
  }

  package func probe(_ selector: Selector, waits: Bool) throws -> Envelope? {
    try gate.enter()
    defer { gate.leave() }
    var waiting = Waiting(self, for: .message(selector))
    while true {
      try progressInside()
      if let envelope = mailbox.peek(selector) { return envelope }
      guard waits else {
        try checkJob(selector.context)
        // We may still send to ourselves, and so may another thread.
        if selector.source >= 0, selector.source != Int32(rank) { try checkSource(selector) }
        return nil
      }
      try waiting.pause { $0.mailbox.peek(selector) != nil }
    }
  }

  package func isThere(_ selector: Selector) -> Bool {
    guard (try? gate.enter()) != nil else { return false }
    defer { gate.leave() }
    return mailbox.peek(selector) != nil
      || selector.source >= 0 && (incoming + Int(selector.source)).pointee.hasNews
  }

  /// A message for the selector, if one is there now. Other messages at the heads of the rings from which it
  /// may come are moved out of the way.
  func look(_ selector: Selector) throws -> IncomingMessage? {
    if let message = mailbox.take(selector) { return message }
    if selector.source >= 0 { return try look(selector, at: Int(selector.source)) }
    // Fair: a rank that sends without end must not keep the others from being heard.
    for offset in 0..<size {
      let peer = (firstSource + offset) % size
      guard let message = try look(selector, at: peer) else { continue }
      firstSource = (Int(message.envelope.source) + 1) % size
      return message
    }
    return nil
  }

  @inline(__always)
  private func look(_ selector: Selector, at peer: Int) throws -> IncomingMessage? {
    while peer != rank, (incoming + peer).pointee.hasNews {
      let slot = (incoming + peer).pointee.slot
      let (envelope, way) = try read(slot, from: peer)
      if way < Slot.Way.fragment, envelope.fits(selector), !mailbox.expects(envelope) {
        return way == Slot.Way.remote
          ? remote(envelope, slot, peer) : IncomingMessage(envelope: envelope, place: .ring)
      }
      try dispatch(peer)
      // `dispatch` may have fetched a message in fragments, and moved others out of the rings meanwhile.
      if let message = mailbox.take(selector) { return message }
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
      guard envelope.count <= mostBytes else { throw Self.corrupted(peer) }
    case Slot.Way.done, Slot.Way.stream: break
    default:
      guard way <= Slot.Way.fragment else { throw Self.corrupted(peer) }
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

  /// Takes a rendezvous message out of its slot; its bytes stay with the sender.
  private func remote(_ envelope: Envelope, _ slot: Slot, _ peer: Int) -> IncomingMessage {
    let rendezvous = Rendezvous(
      address: slot.position, number: slot.number, isAwaited: slot.isAwaited)
    (incoming + peer).pointee.consume()
    wake((incoming + peer).pointee.peer)
    return IncomingMessage(envelope: envelope, place: .remote(rendezvous))
  }

  /// Moves the slot at the head of a ring to where it belongs: a fragment to its message, a message to its
  /// posted receive or to the unexpected-message queue.
  func dispatch(_ peer: Int) throws {
    let slot = (incoming + peer).pointee.slot
    let (envelope, way) = try read(slot, from: peer)
    switch way {
    case Slot.Way.fragment: try takeFragment(slot, envelope, peer)
    case Slot.Way.remote: settle(remote(envelope, slot, peer))
    case Slot.Way.done, Slot.Way.stream:
      let number = slot.number
      (incoming + peer).pointee.consume()
      wake((incoming + peer).pointee.peer)
      try take(answer: way, to: number, from: peer)
    default:
      if mailbox.expects(envelope) {
        settle(IncomingMessage(envelope: envelope, place: .ring))
      } else {
        let copy = ByteBuffer(capacity: envelope.count)
        let start = copy.uninitialized(count: envelope.count)
        takeRing(envelope, peer, into: start)
        settle(IncomingMessage(envelope: envelope, place: .stored(copy)))
      }
    }
  }
}

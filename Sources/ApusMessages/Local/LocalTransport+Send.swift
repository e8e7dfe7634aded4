import ApusSystem
import ApusWire
import Glibc
import Synchronization

/// A send that was started and is not over.
final class PendingSend {
  let operation: Operation
  let envelope: Envelope
  let destination: Int
  var rest: UnsafeRawBufferPointer
  /// Whether its rank does nothing but wait for it.
  let isAwaited: Bool
  /// Its number, once it is announced.
  var number: UInt64 = 0

  init(
    _ operation: Operation, _ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int,
    isAwaited: Bool
  ) {
    (self.operation, rest, self.envelope, self.destination) = (operation, bytes, envelope, destination)
    self.isAwaited = isAwaited
  }
}

extension LocalTransport {
  /// Longer messages go by rendezvous: one copy instead of two is worth the system call. For 64 KiB an
  /// exchange takes 8 µs instead of 11.
  private var ringLimit: Int { min(memory.ringSize / 4, 32 << 10) }
  private var fragmentSize: Int { memory.ringSize / 8 }

  /// Whether nothing waits to be sent to that rank, so that what is sent now may go first.
  @inline(__always)
  private func isFree(_ destination: Int) -> Bool {
    waitingForSlots == 0 || outgoing[destination].queue.isEmpty
  }

  @inline(__always)
  package func send(_ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int) throws {
    try gate.enter()
    defer { gate.leave() }
    if bytes.count <= Slot.inlineLimit, destination != rank, isFree(destination),
      let slot = outgoing[destination].freeSlot()
    {
      write(bytes, envelope, into: slot, destination)
    } else {
      try sendSlowly(bytes, envelope, to: destination)
    }
  }

  /// Sends inline: fills a slot, bytes included, and publishes it.
  @inline(__always)
  private func write(
    _ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, into slot: Slot, _ destination: Int
  ) {
    slot.context = envelope.context
    slot.tag = envelope.tag
    slot.type = envelope.type
    slot.countAndWay = UInt64(bytes.count) << Slot.Way.bits | Slot.Way.inline
    if let base = bytes.baseAddress { slot.inline.copyMemory(from: base, byteCount: bytes.count) }
    outgoing[destination].publish(slot)
    wake(outgoing[destination].peer)
  }

  @inline(never)
  private func sendSlowly(_ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int) throws {
    if destination == rank { return sendToOurselves(bytes, envelope) }
    if bytes.count > ringLimit || !isFree(destination) {
      let operation = Operation(.send(bytes: bytes, envelope: envelope, destination: destination))
      startSend(operation, bytes, envelope, to: destination, isAwaited: true)
      return try waitInside(for: operation)
    }
    var waiting = Waiting(self, for: .receiver(destination, envelope))
    while !offer(bytes, envelope, to: destination) {
      try waiting.pause { $0.canSend(bytes.count, to: destination) }
    }
  }

  /// Sends inline or eagerly, if there is room.
  private func offer(_ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int) -> Bool {
    guard let slot = outgoing[destination].freeSlot() else { return false }
    if bytes.count <= Slot.inlineLimit {
      write(bytes, envelope, into: slot, destination)
      return true
    }
    guard let start = outgoing[destination].freeBytes(bytes.count) else { return false }
    outgoing[destination].pointer(start).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
    outgoing[destination].advance(to: start, bytes.count)
    announce(bytes.count, Slot.Way.ring, envelope, start, 0, slot, destination)
    return true
  }

  package func sendIfRoom(
    _ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int
  ) throws -> Bool {
    try gate.enter()
    defer { gate.leave() }
    guard destination != rank, bytes.count <= ringLimit, isFree(destination) else {
      return false
    }
    return offer(bytes, envelope, to: destination)
  }

  private func canSend(_ count: Int, to destination: Int) -> Bool {
    outgoing[destination].freeSlot() != nil
      && (count <= Slot.inlineLimit || outgoing[destination].freeBytes(count) != nil)
  }

  private func announce(
    _ count: Int, _ way: UInt64, _ envelope: Envelope, _ position: UInt64, _ number: UInt64,
    _ slot: Slot, _ destination: Int
  ) {
    slot.context = envelope.context
    slot.tag = envelope.tag
    slot.type = envelope.type
    slot.countAndWay = UInt64(count) << Slot.Way.bits | way
    slot.position = position
    slot.number = number
    outgoing[destination].publish(slot)
    wake(outgoing[destination].peer)
  }

  /// Never waits: the bytes are copied.
  private func sendToOurselves(_ bytes: UnsafeRawBufferPointer, _ envelope: Envelope) {
    let copy = ByteBuffer(capacity: bytes.count)
    copy.append(contentsOf: bytes)
    settle(IncomingMessage(envelope: envelope, place: .stored(copy)))
  }

  // MARK: Sends that go on

  func startSend(
    _ operation: Operation, _ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int,
    isAwaited: Bool = false
  ) {
    if destination == rank {
      sendToOurselves(bytes, envelope)
      return finish(operation)
    }
    let isFirst = isFree(destination)
    if isFirst, bytes.count <= ringLimit, offer(bytes, envelope, to: destination) { return finish(operation) }
    let send = PendingSend(operation, bytes, envelope, to: destination, isAwaited: isAwaited)
    // Not by way of the queue, which is empty then.
    if isFirst, publish(send) { return }
    outgoing[destination].queue.append(send)
    waitingForSlots += 1
    advanceSends()
  }

  /// Moves every started send on as far as there is room.
  @inline(__always)
  func advanceSends() {
    if waitingForSlots > 0 { publishWaiting() }
    if !streaming.isEmpty { stream() }
  }

  private func publishWaiting() {
    for peer in 0..<size where peer != rank {
      while let answer = outgoing[peer].answers.first, tell(peer, answer.number, answer.way) {
        _ = outgoing[peer].answers.popFirst()
        waitingForSlots -= 1
      }
      while let send = outgoing[peer].queue.first, publish(send) {
        _ = outgoing[peer].queue.popFirst()
        waitingForSlots -= 1
      }
    }
  }

  private func publish(_ send: PendingSend) -> Bool {
    if send.rest.count <= ringLimit {
      guard offer(send.rest, send.envelope, to: send.destination) else { return false }
      finish(send.operation)
      return true
    }
    guard let slot = outgoing[send.destination].freeSlot() else { return false }
    send.number = nextNumber
    nextNumber += 1
    announced[send.number] = send
    slot.isAwaited = send.isAwaited
    let address = UInt64(UInt(bitPattern: send.rest.baseAddress!))
    announce(send.rest.count, Slot.Way.remote, send.envelope, address, send.number, slot, send.destination)
    return true
  }

  /// Takes the answer of the receiver of a rendezvous message.
  func take(answer way: UInt64, to number: UInt64, from peer: Int) throws {
    guard let send = announced[number], send.destination == peer else { throw Self.corrupted(peer) }
    announced[number] = nil
    if send.operation.isDone { return }  // given up meanwhile
    if way == Slot.Way.done { finish(send.operation) } else { streaming.append(send) }
  }

  /// Ends all sends to a rank that a check throws for. The numbers of announced messages stay known: answers may still
  /// come.
  func giveUp(_ peer: Int, unless check: (Envelope) throws -> Void) {
    func isOver(_ send: PendingSend) -> Bool {
      if send.destination != peer || send.operation.isDone { return send.operation.isDone }
      do { try check(send.envelope) } catch { finish(send.operation, error) }
      return send.operation.isDone
    }
    if hasLeft(peer) { while outgoing[peer].answers.popFirst() != nil { waitingForSlots -= 1 } }
    let kept = Queue<PendingSend>()
    while let send = outgoing[peer].queue.popFirst() {
      if isOver(send) { waitingForSlots -= 1 } else { kept.append(send) }
    }
    outgoing[peer].queue = kept
    for send in announced.values { _ = isOver(send) }
    streaming.removeAll(where: isOver)
  }

  /// Gives up a send that can't end: its caller gets the bytes back.
  func withdraw(_ operation: Operation, _ error: any Error) {
    guard case .send(_, _, let peer) = operation.kind, !operation.isDone else { return }
    let kept = Queue<PendingSend>()
    while let send = outgoing[peer].queue.popFirst() {
      if send.operation === operation { waitingForSlots -= 1 } else { kept.append(send) }
    }
    outgoing[peer].queue = kept
    streaming.removeAll { $0.operation === operation }
    // If it was announced its number stays known, and a late answer finds it done.
    finish(operation, error)
    // If neither the receiver has ended nor the job has failed, the receiver goes on, and must not take bytes
    // that are no message any more.
    let code = (error as? MessageError)?.code
    guard code == .deadlock || code == .transport || error is WaitInterrupted else { return }
    // `withdrawn` covers all numbers up to this one. So all sends that have one are given up, whoever they
    // are for.
    own.withdrawn.pointee.store(nextNumber - 1, ordering: .releasing)
    // Before the caller changes the bytes, and before the receivers are woken.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    var receivers: Set = [peer]
    let reason: any Error =
      error is WaitInterrupted
      ? MessageError(
        .transport, "a send was interrupted, and with it those that were under way; this is one of them")
      : error
    for send in streaming + announced.values where !send.operation.isDone {
      finish(send.operation, reason)
      receivers.insert(send.destination)
    }
    streaming = []
    for receiver in receivers { outgoing[receiver].peer.wakeThreads() }
  }

  /// At the rank's end: waits for the sends that were started, as long as their receivers are there.
  func settleAtEnd() {
    var waiting = Waiting(self, for: .end)
    while hasSends {
      do {
        try progressInside()
        for peer in 0..<size where peer != rank { giveUp(peer) { try self.checkReceiver(peer, $0.context) } }
        // Whoever has ended wakes those that sleep, and not one that is about to.
        try waiting.pause { transport in
          !transport.hasSends
            || (0..<transport.size).contains { transport.hasSends(to: $0) && transport.hasLeft($0) }
        }
      } catch { return }
    }
  }

  private var hasSends: Bool {
    waitingForSlots > 0 || !streaming.isEmpty || announced.values.contains { !$0.operation.isDone }
  }

  private func hasSends(to peer: Int) -> Bool {
    !outgoing[peer].queue.isEmpty || !outgoing[peer].answers.isEmpty
      || streaming.contains { $0.destination == peer }
      || announced.values.contains { $0.destination == peer && !$0.operation.isDone }
  }

  private func stream() {
    for send in streaming { push(send) }
    streaming.removeAll {
      guard $0.rest.isEmpty else { return false }
      finish($0.operation)
      return true
    }
  }

  private func push(_ send: PendingSend) {
    let destination = send.destination
    while !send.rest.isEmpty {
      let count = min(send.rest.count, fragmentSize)
      guard let slot = outgoing[destination].freeSlot(), let start = outgoing[destination].freeBytes(count)
      else { return }
      outgoing[destination].pointer(start).copyMemory(from: send.rest.baseAddress!, byteCount: count)
      outgoing[destination].advance(to: start, count)
      announce(count, Slot.Way.fragment, send.envelope, start, send.number, slot, destination)
      send.rest = UnsafeRawBufferPointer(rebasing: send.rest[count...])
    }
  }

  /// Whether a send or an answer that was started could go on now.
  func canAdvanceSends() -> Bool {
    if waitingForSlots > 0 {
      for peer in 0..<size where peer != rank {
        guard !outgoing[peer].answers.isEmpty || !outgoing[peer].queue.isEmpty else { continue }
        guard outgoing[peer].freeSlot() != nil else { continue }
        guard outgoing[peer].answers.isEmpty, let count = outgoing[peer].queue.first?.rest.count,
          count <= ringLimit
        else { return true }
        if canSend(count, to: peer) { return true }
      }
    }
    return streaming.contains { canSend(min($0.rest.count, fragmentSize), to: $0.destination) }
  }

  // MARK: Answers

  /// Tells the sender of a rendezvous message what becomes of it.
  func answer(_ peer: Int, _ number: UInt64, _ way: UInt64) {
    if outgoing[peer].answers.isEmpty, tell(peer, number, way) { return }
    outgoing[peer].answers.append((number, way))
    waitingForSlots += 1
  }

  private func tell(_ peer: Int, _ number: UInt64, _ way: UInt64) -> Bool {
    guard let slot = outgoing[peer].freeSlot() else { return false }
    slot.countAndWay = way
    slot.number = number
    // Release: what we read of the sender's memory was read before it hears of it.
    outgoing[peer].publish(slot)
    wake(outgoing[peer].peer)
    return true
  }
}

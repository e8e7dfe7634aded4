import CApus
import Glibc
import Synchronization

extension LocalTransport {
  @inline(__always)
  package func take(_ message: IncomingMessage, into destination: UnsafeMutableRawPointer) throws {
    if case .ring = message.place {
      try gate.enter()
      defer { gate.leave() }
      return takeRing(message.envelope, Int(message.envelope.source), into: destination)
    }
    try gate.enter()
    defer { gate.leave() }
    try takeInside(message, into: destination)
  }

  package func drop(_ message: IncomingMessage) {
    guard (try? gate.enter()) != nil else { return }
    defer { gate.leave() }
    dropInside(message)
  }

  @inline(__always)
  func takeRing(_ envelope: Envelope, _ peer: Int, into destination: UnsafeMutableRawPointer) {
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
    let sender = (incoming + peer).pointee.peer
    if canReadOthers {
      let process = Int32(truncatingIfNeeded: sender.process.pointee.load(ordering: .relaxed))
      let problem =
        canCopyTogether(envelope, rendezvous)
        ? try copyTogether(envelope, rendezvous, from: process, into: destination)
        : apus_memory_read_from(process, rendezvous.address, destination, envelope.count)
      // In a job that has failed the sender may have given up, and changed the bytes while they were copied.
      try checkJob(envelope.context)
      // A sender that gives up writes `withdrawn` before it changes its memory. So if the word, read after
      // the copy, does not say so, the copy is good.
      atomicMemoryFence(ordering: .acquiring)
      if isWithdrawn(rendezvous.number, by: sender) { throw Self.withdrawn(peer) }
      if problem == 0 { return answer(peer, rendezvous.number, Slot.Way.done) }
      // Yama, a container's filter, another user namespace: it will not get better.
      if problem != ESRCH { canReadOthers = false }
    }
    // A sender that has given up sends no fragments.
    if isWithdrawn(rendezvous.number, by: sender) { throw Self.withdrawn(peer) }
    streams.append(
      IncomingStream(
        source: envelope.source, number: rendezvous.number, destination: destination, rest: envelope.count))
    answer(peer, rendezvous.number, Slot.Way.stream)
    try waitForFragments(of: envelope, rendezvous.number)
  }

  private func isWithdrawn(_ number: UInt64, by sender: RankWords) -> Bool {
    sender.withdrawn.pointee.load(ordering: .acquiring) >= number
  }

  private static func withdrawn(_ peer: Int) -> MessageError {
    MessageError(.transport, "rank \(peer) has given up the message that it was sending", rank: peer)
  }

  private func waitForFragments(of envelope: Envelope, _ number: UInt64) throws {
    let peer = Int(envelope.source)
    let sender = (incoming + peer).pointee.peer
    let isThis = { (stream: IncomingStream) in stream.source == Int32(peer) && stream.number == number }
    var waiting = Waiting(self, for: .fragments(envelope))
    fetching += 1
    defer {
      fetching -= 1
      // Another thread may wait for one of the messages in `claimed`.
      if fetching == 0, !claimed.isEmpty { wakeOurselves() }
    }
    do {
      while streams.contains(where: isThis) {
        // Asked before the look at the ring: the fragments that were sent before the sender gave up may be
        // all of them.
        let isWithdrawn = isWithdrawn(number, by: sender)
        if (incoming + peer).pointee.hasNews {
          try dispatch(peer)
        } else if isWithdrawn {
          throw Self.withdrawn(peer)
        } else {
          try waiting.pause { !$0.streams.contains(where: isThis) || $0.isWithdrawn(number, by: sender) }
        }
      }
    } catch {
      // The caller gets the memory back. Fragments that still come are read and dropped.
      if let index = streams.firstIndex(where: isThis) { streams[index].destination = nil }
      throw error
    }
  }

  func takeFragment(_ slot: Slot, _ envelope: Envelope, _ peer: Int) throws {
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
    if streams[index].rest == 0 {
      streams.remove(at: index)
      wakeOurselves()
    }
  }
}

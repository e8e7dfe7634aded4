import Synchronization

extension LocalTransport {
  /// Throws if a rank has failed.
  func checkJob(_ context: UInt32) throws {
    let failed = memory.failed.pointee.load(ordering: .acquiring)
    if failed == 0 { return }
    let rank = Int(truncatingIfNeeded: failed) &- 1
    throw error(
      .rankFailed, "rank \(rank) has failed, so nothing more can be expected of the job", rank, context)
  }

  /// Throws if a rank that has to receive something has ended, and left nothing to be read.
  func checkReceiver(_ destination: Int, _ context: UInt32) throws {
    guard destination != rank, hasLeft(destination) else { return }
    throw error(
      .rankEnded, "rank \(destination) has ended, and receives nothing more", destination, context)
  }

  /// Throws if those that could send the message have ended.
  func checkSource(_ selector: Selector) throws {
    let context = selector.context
    let isAny = selector.source == Selector.any
    if !isAny, selector.source != Int32(rank) {
      let source = Int(selector.source)
      guard hasLeft(source) else { return }
      let other = mailbox.unexpected.first {
        $0.envelope.context == context && $0.envelope.source == selector.source
      }
      let found =
        other.map { " under tag \(selector.tag) is left, but one under tag \($0.envelope.tag)" } ?? " is left"
      throw error(.rankEnded, "rank \(source) has ended, and no message from it\(found)", source, context)
    }
    // Another thread of ours may send it.
    if gate.isShared { return }
    if isAny {
      let others = (members(of: context) ?? Array(0..<Int32(size))).filter { $0 != Int32(rank) }
      guard others.allSatisfy({ hasLeft(Int($0)) }) else { return }
      if let first = others.first {
        throw error(
          .rankEnded, "all other ranks have ended, and no message is left",
          others.count == 1 ? Int(first) : nil,
          context)
      }
    }
    throw error(
      .deadlock, "rank \(rank) waits for a message from itself, which it can't send while it waits", rank,
      context)
  }

  /// Whether a rank has ended in good order, and all that it has sent was taken.
  func hasLeft(_ peer: Int) -> Bool {
    // Acquire: what it sent before it ended is there to be seen.
    hasEnded(peer) && !(incoming + peer).pointee.hasNews
  }

  private func hasEnded(_ peer: Int) -> Bool {
    (incoming + peer).pointee.peer.hasEnded.pointee.load(ordering: .acquiring) != 0
  }

  /// An error about a rank, whose number in the communicator may be another than in the world.
  private func error(_ code: MessageError.Code, _ text: String, _ rank: Int?, _ context: UInt32)
    -> MessageError
  {
    guard let rank, let members = members(of: context) else { return MessageError(code, text, rank: rank) }
    let here = members.firstIndex(of: Int32(rank))
    let place = here.map { "is rank \($0) of this communicator" } ?? "does not belong to this communicator"
    return MessageError(code, "\(text); in the world, that is: it \(place)", rank: here)
  }

  // MARK: For those who move things on and do not wait

  /// Ends the started operations that can't end by themselves any more, each with the reason.
  func endHopeless() {
    if memory.failed.pointee.load(ordering: .relaxed) == 0, !(0..<size).contains(where: hasEnded) { return }
    for peer in 0..<size where peer != rank {
      giveUp(peer) { try self.checkJob($0.context) }
      giveUp(peer) { try self.checkReceiver(peer, $0.context) }
    }
    for operation in mailbox.posted {
      guard case .receive(let selector) = operation.kind else { continue }
      do {
        try checkJob(selector.context)
        // We may still send to ourselves, between one look and the next.
        if selector.source >= 0, selector.source != Int32(rank) { try checkSource(selector) }
      } catch { end(operation, error) }
    }
  }

  /// Ends all posted receives: something came that can't be, so nothing that comes can be trusted.
  func endReceives(_ error: any Error) {
    for operation in mailbox.posted { end(operation, error) }
    while let (operation, _) = claimed.popFirst() { finish(operation, error) }
  }

  private func end(_ receive: Operation, _ error: any Error) {
    _ = mailbox.cancel(receive, error)
    wakeOurselves()
  }
}

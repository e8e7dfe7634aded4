import Glibc

extension LocalTransport {
  package func start(_ operation: Operation) throws {
    try gate.enter()
    defer { leaveUntold() }
    switch operation.kind {
    case .send(let bytes, let envelope, let destination):
      startSend(operation, bytes, envelope, to: destination)
    case .receive(let selector):
      if let found = try look(selector) {
        mailbox.complete(operation, found, Inside(self))
      } else {
        mailbox.start(operation, selector, Inside(self))
      }
    }
  }

  package func progress() throws {
    try gate.enter()
    defer { gate.leave() }
    try progressInside()
    // A caller that never waits, and only asks, has to hear too that an operation can't end any more.
    endHopeless()
  }

  /// Takes what has come out of the rings, and moves on what was started.
  func progressInside() throws {
    for peer in 0..<size where peer != rank {
      while (incoming + peer).pointee.hasNews { try dispatch(peer) }
    }
    completeClaimed()
    advanceSends()
  }

  package func wait(for operation: Operation) throws {
    try gate.enter()
    defer { gate.leave() }
    try waitInside(for: operation)
  }

  func waitInside(for operation: Operation) throws {
    let awaited: Awaited =
      switch operation.kind {
      case .receive(let selector): .message(selector)
      case .send(_, let envelope, let receiver): .receiver(receiver, envelope)
      }
    var waiting = Waiting(self, for: awaited)
    do {
      while !operation.isDone {
        try progressInside()
        helpToCopy(operation)
        if !operation.isDone { try waiting.pause { _ in operation.isDone } }
      }
    } catch {
      // The caller gets its bytes back.
      withdraw(operation, error)
      throw error
    }
    if let error = operation.error { throw error }
  }

  package func tell(_ call: @escaping @Sendable () -> Void, of operation: Operation) throws -> Bool {
    try gate.enter()
    defer { leaveUntold() }
    return operation.tell(call)
  }

  package func cancel(_ operation: Operation) -> Bool {
    guard (try? gate.enter()) != nil else { return false }
    defer { leaveUntold() }
    return mailbox.cancel(operation)
  }

  /// Leaves without telling anybody (see `Gate.leaveUntold`). The progress thread does that.
  func leaveUntold() {
    if mailbox.hasCalls { wakeOurselves() }
    gate.leaveUntold()
  }

  package func progressOrSleep() {
    guard (try? gate.enter()) != nil else { return }
    defer { gate.leave() }
    deadlock.ownEntries &+= 1
    movers += 1
    defer { movers -= 1 }
    var waiting = Waiting(self, for: .anything)
    let before = mailbox.finished
    while mailbox.finished == before, waiting.isAwake {
      // The owners of the operations are told what is wrong.
      do { try progressInside() } catch { endReceives(error) }
      endHopeless()
      guard mailbox.finished == before else { return }
      do { try waiting.pause { $0.mailbox.finished != before } } catch {
        return gate.pause { usleep(1000) }
      }
    }
  }
}

import Glibc

// What goes on while its rank does something else.
extension MPITransport {
  /// Throws if the operation could not be started at all; what goes wrong later, it ends with.
  func start(_ operation: Operation) throws {
    try enter()
    defer { leaveUntold() }
    switch operation.kind {
    case .send(let bytes, let envelope, let destination):
      try startSend(operation, bytes, envelope, to: destination)
    case .receive(let selector):
      mailbox.start(operation, selector, MPIInside(self))
      do { try progressInside() } catch { failReceives(error) }
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
      // A send ends when the library has done with its bytes, whatever else goes wrong: they are the caller's.
      do { try progressInside() } catch { failReceives(error) }
      if !operation.isDone { try pause(&turns) }
    }
    if let error = operation.error { throw error }
  }

  /// Waits for a request of the library's, and meanwhile moves on all that was started.
  func wait(for request: inout MPIRequest) throws {
    if mayBlock { return try calling { () throws(MPIFailure) in try request.waitBlindly() } }
    var turns = 0
    while try !calling({ () throws(MPIFailure) in try request.testBlindly() }) {
      // Its memory is the caller's: it is not over because of another's problem.
      do { try progressInside() } catch { failReceives(error) }
      try pause(&turns)
    }
  }

  func tell(_ call: @escaping @Sendable () -> Void, of operation: Operation) throws -> Bool {
    try enter()
    defer { leaveUntold() }
    return operation.tell(call)
  }

  func cancel(_ operation: Operation) -> Bool {
    guard (try? enter()) != nil else { return false }
    defer { leaveUntold() }
    return mailbox.cancel(operation)
  }

  func progressOrSleep() {
    guard (try? enter()) != nil else {
      // After the end nothing moves any more.
      usleep(1000)
      return
    }
    defer { leave() }
    let before = mailbox.finished
    var turns = 0
    while mailbox.finished == before, turns < 1100 {
      do { try progressInside() } catch { failReceives(error) }
      if mailbox.finished == before, (try? pause(&turns)) == nil { return }
    }
  }

  /// What could not be received may have been anybody's.
  private func failReceives(_ error: any Error) {
    for operation in mailbox.posted { _ = mailbox.cancel(operation, error) }
  }
}

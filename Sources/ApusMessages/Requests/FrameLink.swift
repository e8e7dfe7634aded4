import ApusSystem
import ApusWire

/// Frames between ranks, as messages of a communicator of their own, for whoever has an event loop.
///
/// What arrives is put into a queue, and a bell rung, as long as there is anything: taken from there by whoever listens
/// to the bell. Sending does not wait. What goes on is moved by the thread that moves all that is awaited
/// (`ProgressThread`).
package final class FrameLink: Sendable {
  private struct State {
    var arrived: [(rank: Int, frame: ByteBuffer)] = []
    var failure: (any Error)?
    var isFailureTold = false
    var isOver = false
    var receives: [Int: Operation] = [:]

    var hasNews: Bool { !arrived.isEmpty || failure != nil && !isFailureTold }
  }

  package let communicator: Communicator
  private let bell: Bell
  private let state = Locked(State())
  /// Sends that are not over.
  private let leaving = Locked(0)

  /// - Parameter peers: From whom frames come.
  package init(_ communicator: Communicator, peers: some Sequence<Int>, bell: Bell) throws {
    (self.communicator, self.bell) = (communicator, bell)
    try communicator.progress.begin()
    for peer in peers { listen(to: peer) }
  }

  deinit { close() }

  // MARK: What arrives

  /// Frames that have come since the last time, in order; and why none will come any more. The bell is silent then.
  package func take() -> (frames: [(rank: Int, frame: ByteBuffer)], failure: (any Error)?) {
    state.withLock { state in
      guard state.hasNews else { return ([], state.failure) }
      // Under the lock, as it is rung: a bell that rings for what was taken already would keep its listener awake.
      bell.silence()
      defer { state.arrived = [] }
      state.isFailureTold = state.failure != nil
      return (state.arrived, state.failure)
    }
  }

  package var hasNews: Bool { state.withLock { $0.hasNews } }

  package var failure: (any Error)? { state.withLock { $0.failure } }

  /// Whether a receive was over before its start had returned: then the next one is started by who started it, and
  /// else by who is told. So no chain of messages becomes a chain of calls.
  private enum Turn { case starting, started, over }

  private func listen(to peer: Int) {
    var goesOn = true
    while goesOn {
      let buffer = ByteBuffer()
      let turn = Locked(Turn.starting)
      let operation: Operation
      do {
        operation = Operation(.receive(try communicator.selector(peer, 0))) { message, source in
          try source.take(message, into: buffer.uninitialized(count: message.envelope.count))
        }
      } catch { return fail(error) }
      let isOver = state.withLock { state in
        state.receives[peer] = operation
        return state.isOver
      }
      if isOver { return }
      operation.whenDone = { [weak self] in
        guard let self, arrived(buffer, from: peer, operation.error) else { return }
        let isStarted = turn.withLock { turn in
          defer { turn = .over }
          return turn == .started
        }
        if isStarted { listen(to: peer) }
      }
      do { try communicator.transport.start(operation) } catch { return fail(error) }
      goesOn = turn.withLock { turn in
        defer { turn = .started }
        return turn == .over
      }
    }
  }

  /// False if nothing more will come.
  private func arrived(_ buffer: ByteBuffer, from peer: Int, _ error: (any Error)?) -> Bool {
    if let error {
      fail(error)
      return false
    }
    state.withLock {
      $0.arrived.append((peer, buffer))
      bell.ring()
    }
    return true
  }

  private func fail(_ error: any Error) {
    state.withLock { state in
      if state.isOver || state.failure != nil { return }
      state.failure = error
      bell.ring()
    }
  }

  // MARK: What leaves

  /// Sends a frame, which the link keeps until it is gone. The caller may hold a lock: nobody is told of anything here
  /// (`Gate.leaveUntold`).
  package func send(_ frame: ByteBuffer, to rank: Int) {
    let envelope = Envelope(
      context: communicator.context, source: Int32(communicator.transport.rank), tag: 0, type: 0,
      count: frame.count)
    let operation = Operation(
      .send(bytes: frame.bytes, envelope: envelope, destination: communicator.inWorld(rank)), keeping: frame)
    leaving.withLock { $0 += 1 }
    do {
      try communicator.transport.start(operation)
      // Most are over by now, and need no other thread.
      let goesOn = try communicator.transport.tell({ [self] in hasLeft(operation.error) }, of: operation)
      if !goesOn { hasLeft(operation.error) }
    } catch { hasLeft(error) }
  }

  private func hasLeft(_ error: (any Error)?) {
    leaving.withLock { $0 -= 1 }
    if let error { fail(error) }
  }

  /// Ends it, once what was sent is gone or can't go any more: but for at most some seconds.
  package func finish() {
    let pause = NativeSemaphore()
    for _ in 0..<2000 where leaving.withLock({ $0 > 0 }) { pause.wait(milliseconds: 1) }
    close()
  }

  private func close() {
    let receives = state.withLock { state -> [Operation]? in
      if state.isOver { return nil }
      state.isOver = true
      defer { state.receives = [:] }
      return Array(state.receives.values)
    }
    guard let receives else { return }
    for operation in receives { _ = communicator.transport.cancel(operation) }
    communicator.progress.over()
  }
}

import ApusSystem
import Synchronization

/// Moves on what was started while no thread of the program does: the first `await` starts it, and it sleeps while
/// nothing is under way.
final class ProgressThread: Sendable {
  private let transport: any Transport
  private let wake = NativeSemaphore()
  private let state = Locked((count: 0, isShared: false, isStarted: false))

  init(_ transport: any Transport) { self.transport = transport }

  /// Lets several threads use the transport from now on. Throws `MessageError`.
  func share() throws { try state.withLock { try share(&$0.isShared) } }

  private func share(_ isShared: inout Bool) throws {
    if isShared { return }
    try transport.share()
    isShared = true
  }

  /// An operation is under way; `over` follows. Throws `MessageError` (`noResources`).
  func begin() throws {
    // All of it under the lock: a second one that comes meanwhile must find the transport shared.
    try state.withLock { state in
      if !state.isStarted {
        do {
          try share(&state.isShared)
          try NativeThread.start(name: "apus-progress") { self.serve() }
        } catch let error as ProcessError {
          throw MessageError(.noResources, "the thread for what is awaited could not be started: \(error)")
        }
        state.isStarted = true
      }
      state.count += 1
    }
    wake.signal()
  }

  func over() { state.withLock { $0.count -= 1 } }

  private func serve() {
    while true {
      wake.wait()
      while state.withLock({ $0.count > 0 }) {
        // What is wrong with the job, each operation's owner is told by the transport.
        transport.progressOrSleep()
      }
    }
  }
}

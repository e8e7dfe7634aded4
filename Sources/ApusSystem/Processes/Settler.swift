/// Waits for output on behalf of callers on threads that must not block. One thread waits for all of them: there may be
/// thousands.
package final class Settler: Sendable {
  private struct Waiting {
    var callers: [UnsafeContinuation<Void, Never>] = []
    /// Whether a thread sees to them.
    var isServed = false
  }
  private let waiting = Locked(Waiting())

  package init() {}

  /// Suspends until `settle`, which blocks, has been called and has returned.
  package func settled(_ settle: @escaping @Sendable () -> Void) async {
    await withUnsafeContinuation { caller in
      let isFirst = waiting.withLock { waiting in
        waiting.callers.append(caller)
        defer { waiting.isServed = true }
        return !waiting.isServed
      }
      guard isFirst else { return }
      do { try NativeThread.start(name: "apus-settle") { self.serve(settle) } } catch {
        // No thread is to be had: blocking this one is what is left.
        serve(settle)
      }
    }
  }

  private func serve(_ settle: () -> Void) {
    while true {
      let callers = waiting.withLock { waiting in
        defer { waiting.callers = [] }
        if waiting.callers.isEmpty { waiting.isServed = false }
        return waiting.callers
      }
      if callers.isEmpty { return }
      settle()
      for caller in callers { caller.resume() }
    }
  }
}

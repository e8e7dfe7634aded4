import ApusSystem
import Synchronization

// A bound on how many tasks wait.
extension PoolEngine {
  /// Whether no more tasks are to wait. A pool that ends takes all, and says so to each.
  var isFull: Bool {
    guard let limit = configuration.queueLimit, ledger.queued >= limit else { return false }
    return problem == nil && !isClosing
  }

  /// Blocks until there may be room in the queue.
  package func waitForRoom() {
    let isThere = NativeSemaphore()
    enter()
    if isFull {
      waitingForRoom.append((0, { isThere.signal() }))
      callEngineThread()
    } else {
      isThere.signal()
    }
    unlockAndTell()
    isThere.wait()
  }

  /// Suspends until there may be room in the queue, or the caller's task is cancelled.
  package func room() async {
    let id = Self.waiters.add(1, ordering: .relaxed).newValue
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        enter()
        if isFull, !Task.isCancelled {
          waitingForRoom.append((id, { continuation.resume() }))
          callEngineThread()
        } else {
          ended.append { continuation.resume() }
        }
        unlockAndTell()
      }
    } onCancel: {
      enter()
      if let index = waitingForRoom.firstIndex(where: { $0.id == id }) {
        ended.append(waitingForRoom.remove(at: index).resume)
      }
      leaveToEngineThread()
    }
  }

  private static let waiters = Atomic<UInt64>(0)

  /// Tells as many of those who wait as there is room for. Each looks again.
  func giveRoom() {
    while !waitingForRoom.isEmpty {
      let room = isFull ? 0 : (configuration.queueLimit ?? .max) - ledger.queued
      let count = problem != nil || isClosing ? waitingForRoom.count : min(room, waitingForRoom.count)
      if count == 0 { return }
      for waiter in waitingForRoom.prefix(count) { ended.append(waiter.resume) }
      waitingForRoom.removeFirst(count)
      return
    }
  }
}

import ApusSystem
import CApus
import Synchronization

/// A caller that waits until there is room in the queue.
struct RoomWaiter {
  let id: UInt64
  /// When it waits no longer.
  let until: UInt64
  let resume: @Sendable () -> Void
}

// A bound on how many tasks wait.
extension PoolEngine {
  /// Whether no more calls of one task are to wait. A pool that ends takes all, and says so to each.
  var isFull: Bool {
    guard let limit = configuration.queueLimit, ledger.singles >= limit else { return false }
    return problem == nil && !isClosing
  }

  /// Blocks until there may be room in the queue, or until a moment of the monotonic clock.
  package func waitForRoom(until end: UInt64?) {
    let isThere = NativeSemaphore()
    enter()
    if isFull {
      waitingForRoom.append(RoomWaiter(id: 0, until: end ?? .max) { isThere.signal() })
      callEngineThread()
    } else {
      isThere.signal()
    }
    unlockAndTell()
    output.whileWaiting { isThere.wait() }
  }

  /// Suspends until there may be room in the queue, or until a moment of the monotonic clock. Throws `CancellationError` if
  /// the caller's task is cancelled: another one is told instead.
  package func room(until end: UInt64?) async throws {
    let id = Self.waiters.add(1, ordering: .relaxed).newValue
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        enter()
        if isFull, !Task.isCancelled {
          waitingForRoom.append(RoomWaiter(id: id, until: end ?? .max) { continuation.resume() })
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
    guard Task.isCancelled else { return }
    giveRoomToAnother()
    throw CancellationError()
  }

  private func giveRoomToAnother() {
    enter()
    giveRoom(now: 0)
    unlockAndTell()
  }

  private static let waiters = Atomic<UInt64>(0)

  /// Tells as many of those who wait as there is room for, and those whose time is over. Each looks again.
  func giveRoom(now: UInt64) {
    let late = waitingForRoom.filter { $0.until <= now }
    if !late.isEmpty {
      waitingForRoom.removeAll { $0.until <= now }
      for waiter in late { ended.append(waiter.resume) }
    }
    let room = isFull ? 0 : (configuration.queueLimit ?? .max) - ledger.singles
    let count = problem != nil || isClosing ? waitingForRoom.count : min(room, waitingForRoom.count)
    for waiter in waitingForRoom.prefix(count) { ended.append(waiter.resume) }
    waitingForRoom.removeFirst(count)
  }
}

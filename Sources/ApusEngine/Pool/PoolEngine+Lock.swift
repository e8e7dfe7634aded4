import ApusSystem
import Synchronization

// Coming in and leaving.
extension PoolEngine {
  /// Takes the lock. Who holds it for long looks whether anybody waits for it (`arrivals`), and lets him in.
  @inline(__always)
  func enter() {
    if lock.tryLock() { return }
    arrivals.pointee.add(1, ordering: .relaxed)
    lock.lock()
    arrivals.pointee.subtract(1, ordering: .relaxed)
  }

  /// Looks or changes something, and tells nobody.
  @inline(__always)
  func entered<Result>(_ body: () -> Result) -> Result {
    enter()
    defer { lock.unlock() }
    return body()
  }

  /// For a thread that goes from one thing to the next with the lock held: lets those in who wait for it, and tells those
  /// who wait to be told. A mutex by itself would not: the thread that leaves it is back before the one that was woken has
  /// come.
  func letIn() {
    guard arrivals.pointee.load(ordering: .relaxed) > 0 || !(resumable.isEmpty && ended.isEmpty) else {
      return
    }
    unlockAndTell()
    var backoff = Backoff()
    while arrivals.pointee.load(ordering: .relaxed) > 0, backoff.pause() {}
    lock.lock()
  }

  func note(_ event: @autoclosure () -> Event) { ledger.note(event()) }

  /// Leaves the lock, and has the engine thread tell what there is to be told. A cancellation comes here with locks of the
  /// tasks above it held, and another one may hold that of a task which would be resumed, and want one of those.
  func leaveToEngineThread() {
    if isClosed { return unlockAndTell() }  // the thread may be gone, and nothing is under way
    if !(resumable.isEmpty && ended.isEmpty && ledger.news.isEmpty) { callEngineThread() }
    lock.unlock()
  }

  /// Leaves the lock, and tells callers and observers what happened under it.
  func unlockAndTell() {
    if resumable.isEmpty, ended.isEmpty, ledger.news.isEmpty { return lock.unlock() }
    let (continuations, callbacks, told) = (resumable, ended, ledger.news)
    (resumable, ended, ledger.news) = ([], [], [])
    lock.unlock()
    for continuation in continuations { continuation.resume() }
    for callback in callbacks { callback() }
    if !told.isEmpty { configuration.events.publish(told) }
  }
}

import CApus
import Glibc
import Synchronization

/// A mutual exclusion lock whose holder may leave and come back in the middle of a function.
///
/// `Mutex` from Synchronization takes the priority-inheriting path of the kernel when it is contended, which
/// here costs more than what is guarded; and its closures do not fit a loop that waits between two looks.
package final class Lock: @unchecked Sendable {
  // Sound: a pthread mutex at an address of its own, made for this.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  package init() { pthread_mutex_init(mutex, nil) }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  @inline(__always) package func lock() { pthread_mutex_lock(mutex) }
  @inline(__always) package func unlock() { pthread_mutex_unlock(mutex) }

  package func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    lock()
    defer { unlock() }
    return try body()
  }
}

/// A lock that a fork of this process finds free, and what it guards whole; and that then tells so.
final class ForkLock: @unchecked Sendable {
  // Sound: as `Lock`; the rest is used with the mutex held.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var forks = apus_fork_count()
  /// How many wait for it and say so: forks, and whoever else counts himself.
  let waiting = UnsafeMutablePointer<Atomic<Int>>.allocate(capacity: 1)
  /// Called in a fork, with the lock, by the first who takes it.
  var inFork: (() -> Void)?

  init() {
    pthread_mutex_init(mutex, nil)
    waiting.initialize(to: Atomic(0))
    apus_fork_guard_mutex(mutex, UnsafeMutableRawPointer(waiting).assumingMemoryBound(to: Int.self))
  }

  deinit {
    apus_fork_forget_mutex(mutex)
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
    waiting.deallocate()
  }

  @inline(__always) func lock() {
    pthread_mutex_lock(mutex)
    if forks != apus_fork_count() { noticeFork() }
  }

  @inline(__always) func tryLock() -> Bool {
    guard pthread_mutex_trylock(mutex) == 0 else { return false }
    if forks != apus_fork_count() { noticeFork() }
    return true
  }

  @inline(__always) func unlock() { pthread_mutex_unlock(mutex) }

  func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    lock()
    defer { unlock() }
    return try body()
  }

  @inline(never)
  private func noticeFork() {
    forks = apus_fork_count()
    inFork?()
  }
}

/// A value that one thread at a time can reach: `Mutex` on a lock that the thread sanitizer knows.
package final class Locked<Value: ~Copyable>: @unchecked Sendable {
  // Sound: the value is reached under the lock alone.
  private let lock = Lock()
  private var value: Value

  package init(_ value: consuming sending Value) { self.value = value }

  package func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}

public import CApus
import Glibc
public import Synchronization

/// A mutual exclusion lock whose holder may leave and come back in the middle of a function.
///
/// `Mutex` from Synchronization takes the priority-inheriting path of the kernel when it is contended, which
/// here costs more than what is guarded; and its closures do not fit a loop that waits between two looks.
@_documentation(visibility: internal)
public final class Lock: @unchecked Sendable {
  // Sound: a pthread mutex at an address of its own, made for this.
  @usableFromInline let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  /// A lock that nobody holds.
  public init() { pthread_mutex_init(mutex, nil) }

  /// One that its holder may take again.
  package static func recursive() -> Lock {
    let lock = Lock()
    pthread_mutex_destroy(lock.mutex)
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_RECURSIVE))
    pthread_mutex_init(lock.mutex, &attributes)
    pthread_mutexattr_destroy(&attributes)
    return lock
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Takes the lock; blocks while another thread has it.
  @inlinable @inline(__always) public func lock() { pthread_mutex_lock(mutex) }
  /// Gives the lock back.
  @inlinable @inline(__always) public func unlock() { pthread_mutex_unlock(mutex) }

  /// Calls `body` with the lock. Throws what `body` throws.
  @inlinable
  public func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    lock()
    defer { unlock() }
    return try body()
  }
}

/// A lock that a fork of this process finds free, and what it guards whole; and that then tells so.
@_documentation(visibility: internal)
public final class ForkLock: @unchecked Sendable {
  // Sound: as `Lock`; the rest is used with the mutex held.
  @usableFromInline let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  @usableFromInline var forks = apus_fork_count()
  /// How many wait for it and say so: forks, and whoever else counts himself.
  public let waiting = UnsafeMutablePointer<Atomic<Int>>.allocate(capacity: 1)
  /// Called in a fork, with the lock, by the first who takes it.
  public var inFork: (() -> Void)?

  /// A lock that nobody holds.
  public init() {
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

  /// Takes the lock; blocks while another thread has it.
  @inlinable @inline(__always)
  public func lock() {
    pthread_mutex_lock(mutex)
    if forks != apus_fork_count() { noticeFork() }
  }

  /// Takes the lock if it is free; false if not.
  @inlinable @inline(__always)
  public func tryLock() -> Bool {
    guard pthread_mutex_trylock(mutex) == 0 else { return false }
    if forks != apus_fork_count() { noticeFork() }
    return true
  }

  /// Gives the lock back.
  @inlinable @inline(__always) public func unlock() { pthread_mutex_unlock(mutex) }

  /// Calls `body` with the lock. Throws what `body` throws.
  @inlinable
  public func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    lock()
    defer { unlock() }
    return try body()
  }

  @inline(never)
  @usableFromInline
  func noticeFork() {
    forks = apus_fork_count()
    inFork?()
  }
}

/// A value that one thread at a time can reach: `Mutex` on a lock that the thread sanitizer knows.
@_documentation(visibility: internal)
public final class Locked<Value: ~Copyable>: @unchecked Sendable {
  // Sound: the value is reached under the lock alone.
  @usableFromInline let lock = Lock()
  @usableFromInline var value: Value

  /// Guards `value`.
  @inlinable
  public init(_ value: consuming sending Value) { self.value = value }

  /// Calls `body` with the value, while no other thread has it. Throws what `body` throws.
  @inlinable
  public func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}

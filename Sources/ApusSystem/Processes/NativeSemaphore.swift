import CApus
import Synchronization

/// A semaphore on which native threads sleep.
///
/// Not `sem_t`: its `sem_timedwait` counts in wall-clock time, and whoever sets the clock back makes it wait as much longer.
/// A futex waits in monotonic time.
package final class NativeSemaphore: @unchecked Sendable {
  // Sound: two atomics at fixed addresses, as a futex needs them; the pointer itself never changes. [0]: how many may
  // pass. [1]: how many sleep, or are about to.
  private let words: UnsafeMutablePointer<Atomic<UInt32>>

  package init() {
    words = .allocate(capacity: 2)
    words.initialize(to: Atomic(0))
    (words + 1).initialize(to: Atomic(0))
  }

  package func signal() {
    // Sequentially consistent, with the sleeper's: either it is seen here, or the kernel sees the count before it lets
    // it sleep.
    words[0].add(1, ordering: .sequentiallyConsistent)
    if words[1].load(ordering: .sequentiallyConsistent) > 0 { apus_futex_wake(words, 1) }
  }

  package func wait() { _ = wait(until: nil) }

  /// Returns false if nobody signals in time.
  @discardableResult
  package func wait(milliseconds: Int) -> Bool {
    wait(until: apus_now() &+ UInt64(max(0, milliseconds)) &* 1_000_000)
  }

  package func wait(until end: UInt64?) -> Bool {
    while !pass() {
      let now = apus_now()
      if let end, now >= end { return false }
      words[1].add(1, ordering: .sequentiallyConsistent)
      // Wakes without a reason are legal: somebody else may have passed.
      apus_futex_wait(words, 0, end.map { Int64(clamping: $0 - now) } ?? -1)
      words[1].subtract(1, ordering: .relaxed)
    }
    return true
  }

  private func pass() -> Bool {
    var count = words[0].load(ordering: .relaxed)
    while count > 0 {
      let (exchanged, original) = words[0].compareExchange(
        expected: count, desired: count - 1, ordering: .acquiring)
      if exchanged { return true }
      count = original
    }
    return false
  }

  deinit { words.deallocate() }
}

import Glibc
import Synchronization

/// An endless sequence of numbers that counts how many were drawn.
final class Counted: Sequence, IteratorProtocol, Sendable {
  private let count = Atomic<Int>(0)
  private let delay: UInt32

  /// - Parameter delay: How long each takes to come, in microseconds.
  init(delay: UInt32 = 0) { self.delay = delay }

  var drawn: Int { count.load(ordering: .sequentiallyConsistent) }

  func next() -> Int? {
    if delay > 0 { usleep(delay) }
    return count.add(1, ordering: .sequentiallyConsistent).oldValue
  }
}

import Synchronization

/// An endless sequence of numbers that counts how many were drawn.
final class Counted: Sequence, IteratorProtocol, Sendable {
  private let count = Atomic<Int>(0)

  var drawn: Int { count.load(ordering: .sequentiallyConsistent) }

  func next() -> Int? { count.add(1, ordering: .sequentiallyConsistent).oldValue }
}

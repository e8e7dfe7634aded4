import Synchronization

/// A file descriptor with one owner, closed once: by `close()`, or when the last reference goes.
///
/// A bare `Int32` that is closed twice closes somebody else's file the second time. The price is that the
/// number is good only while the owner lives: keep a reference (`withExtendedLifetime`) for as long as the
/// kernel is given the number, since Swift may release an object after its last use and before the scope ends.
package final class OwnedDescriptor: Sendable {
  private let stored: Atomic<Int32>

  /// Takes ownership of an open descriptor.
  package init(_ number: Int32) {
    stored = Atomic(number)
  }

  /// The descriptor, or -1 once it is closed or taken.
  package var number: Int32 { stored.load(ordering: .acquiring) }

  package func close() {
    let number = take()
    // Never repeated after EINTR: Linux has freed the number by then, and another thread may have it.
    if number >= 0 { _ = closeDescriptor(number) }
  }

  /// Gives up the ownership: the caller closes it.
  package func take() -> Int32 {
    stored.exchange(-1, ordering: .acquiringAndReleasing)
  }

  deinit { close() }
}

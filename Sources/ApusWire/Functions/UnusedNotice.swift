package import ApusSystem
import Synchronization

/// Tells an engine that a function which its workers know can't be called any more.
package final class UnusedNotice: Sendable {
  private let isPosted = Atomic<Bool>(false)
  private let bell: Bell

  package init(ringing bell: Bell) { self.bell = bell }

  /// From whatever thread has let go of the function, with whatever lock held.
  func post() {
    isPosted.store(true, ordering: .releasing)
    bell.ring()
  }

  package var isPending: Bool { isPosted.load(ordering: .relaxed) }

  /// Not all was done: it counts as posted at the next look.
  package func postponed() { isPosted.store(true, ordering: .relaxed) }

  /// Whether it was posted since the last time.
  package func take() -> Bool {
    isPosted.load(ordering: .relaxed) && isPosted.exchange(false, ordering: .acquiring)
  }
}

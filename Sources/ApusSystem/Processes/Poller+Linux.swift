import CApus
import Glibc

/// A set of descriptors to wait on (epoll), each with a number that says what it is.
package final class Poller: Sendable {
  package let descriptor: OwnedDescriptor
  /// How many ready ones are told at a time.
  package static let most = Int(APUS_POLL_MOST)

  package init() throws(ProcessError) {
    let number = apus_poll_create()
    guard number >= 0 else { throw ProcessError(errno: -number, doing: "make an epoll descriptor") }
    descriptor = OwnedDescriptor(number)
  }

  package func add(_ number: Int32, tag: UInt64, isForWriting: Bool = false) throws(ProcessError) {
    let error =
      isForWriting
      ? apus_poll_add_writable(descriptor.number, number, tag) : apus_poll_add(descriptor.number, number, tag)
    if error != 0 { throw ProcessError(errno: error, doing: "wait on a descriptor") }
  }

  /// Whether it still waits on what was added under that tag: not if another part of the program has closed it.
  package func has(_ number: Int32, tag: UInt64) -> Bool {
    apus_poll_has(descriptor.number, number, tag)
  }

  package func remove(_ number: Int32) { apus_poll_remove(descriptor.number, number) }

  /// Asks how a child ended: `look` says nil while it lives. Its end is told by `notice`, which was added under that
  /// tag (nil or -1: by none), and which `look` may close.
  ///
  /// So it is out of the set by then: a fork of this process may hold a copy that would tell for ever.
  package func ending<Ending>(
    of notice: Int32?, tag: UInt64, _ look: () -> Ending?
  ) throws(ProcessError) -> Ending? {
    let notice = notice ?? -1
    if notice >= 0 { remove(notice) }
    let ending = look()
    if ending == nil, notice >= 0 { try add(notice, tag: tag) }
    return ending
  }

  /// Calls `body` with the tags of what is ready, after at most `timeout` nanoseconds (nil: for ever). False if there is
  /// nothing to wait on: another part of the program has closed the descriptor.
  package func wait(_ timeout: UInt64?, _ body: (UInt64) -> Void) -> Bool {
    var tags: [UInt64] = []
    let isThere = wait(timeout, into: &tags)
    for tag in tags { body(tag) }
    return isThere
  }

  /// The same with the tags behind those that `tags` has: none, and no memory, in the usual case.
  package func wait(_ timeout: UInt64?, into tags: inout [UInt64]) -> Bool {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Self.most) { ready in
      // Rounded up: a deadline that is not reached yet would be waited for again and again.
      let milliseconds = timeout.map { Int32(clamping: $0 / 1_000_000 + ($0 % 1_000_000 == 0 ? 0 : 1)) } ?? -1
      let count = apus_poll_wait(descriptor.number, ready.baseAddress!, Int32(Self.most), milliseconds)
      if count > 0 { tags.append(contentsOf: ready.prefix(Int(count))) }
      return count >= 0
    }
  }
}

/// An eventfd that wakes whoever waits on it.
package final class Bell: Sendable {
  package let descriptor: OwnedDescriptor

  package init() throws(ProcessError) {
    descriptor = OwnedDescriptor(apus_move_high(try OwnedDescriptor.eventCounter().take()))
  }

  /// False if another part of the program has closed the descriptor.
  @discardableResult
  package func ring() -> Bool {
    var one: UInt64 = 1
    return write(descriptor.number, &one, 8) >= 0 || errno == EAGAIN
  }

  package func silence() {
    var count: UInt64 = 0
    _ = read(descriptor.number, &count, 8)
  }
}

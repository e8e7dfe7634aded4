import Synchronization

/// The sessions of a kind that nobody uses, by their addresses; sessions are never freed.
///
/// One lies in a word of its own, since there is mostly no more than one thread that codes values.
struct SessionPool: ~Copyable {
  private let spare = Atomic<UInt>(0)
  private let others = Locked<[UInt]>([])

  /// A session that the caller has for itself, or nil: he makes one.
  @inline(__always)
  borrowing func take() -> UnsafeMutableRawPointer? {
    // Acquiring and releasing: who finds a session sees what the one who left it has done to it.
    let bits = spare.exchange(0, ordering: .acquiring)
    return UnsafeMutableRawPointer(bitPattern: bits) ?? takeOther()
  }

  @inline(__always)
  borrowing func giveBack(_ session: UnsafeMutableRawPointer) {
    let replaced = spare.exchange(UInt(bitPattern: session), ordering: .acquiringAndReleasing)
    if replaced != 0 { keep(replaced) }
  }

  @inline(never)
  private borrowing func takeOther() -> UnsafeMutableRawPointer? {
    others.withLock { $0.popLast() }.flatMap { UnsafeMutableRawPointer(bitPattern: $0) }
  }

  @inline(never)
  private borrowing func keep(_ session: UInt) { others.withLock { $0.append(session) } }
}

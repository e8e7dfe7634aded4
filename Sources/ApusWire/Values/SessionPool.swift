import ApusSystem
import Synchronization

/// The sessions of a kind that nobody uses, by their addresses; sessions are never freed.
///
/// One lies in a word of its own, since there is mostly no more than one thread that codes values. The others lie
/// elsewhere: the pool is a zero then, which is there from the start, and nobody asks each time whether it was made.
struct SessionPool: ~Copyable {
  enum Kind: Hashable { case encoder, decoder }

  private static let others = Locked<[Kind: [UInt]]>([:])
  private let spare = Atomic<UInt>(0)

  /// A session that the caller has for itself, or nil: he makes one.
  @inline(__always)
  borrowing func take(_ kind: Kind) -> UnsafeMutableRawPointer? {
    // Acquiring and releasing: who finds a session sees what the one who left it has done to it.
    let bits = spare.exchange(0, ordering: .acquiring)
    return UnsafeMutableRawPointer(bitPattern: bits) ?? Self.takeOther(kind)
  }

  @inline(__always)
  borrowing func giveBack(_ session: UnsafeMutableRawPointer, _ kind: Kind) {
    let replaced = spare.exchange(UInt(bitPattern: session), ordering: .acquiringAndReleasing)
    if replaced != 0 { Self.keep(replaced, kind) }
  }

  @inline(never)
  private static func takeOther(_ kind: Kind) -> UnsafeMutableRawPointer? {
    others.withLock { $0[kind]?.popLast() }.flatMap { UnsafeMutableRawPointer(bitPattern: $0) }
  }

  @inline(never)
  private static func keep(_ session: UInt, _ kind: Kind) {
    others.withLock { $0[kind, default: []].append(session) }
  }
}

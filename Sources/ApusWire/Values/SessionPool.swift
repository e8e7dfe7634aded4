import ApusSystem
import Synchronization

/// The spare sessions of a coder, by their addresses. Sessions are never freed.
///
/// Mostly one thread codes at a time, so one spare session is in a word of the pool; any others are in a
/// table. The table is not in the pool itself. So a pool is a word that is 0 at first, which needs no
/// initialiser, and no use has to ask whether that has run.
struct SessionPool: ~Copyable {
  enum Kind: Hashable { case encoder, decoder }

  private static let others = Locked<[Kind: [UInt]]>([:])
  private let spare = Atomic<UInt>(0)

  /// A spare session, which is the caller's alone from now on. Nil: there is none, and the caller makes one.
  @inline(__always)
  borrowing func take(_ kind: Kind) -> UnsafeMutableRawPointer? {
    // Acquire; pairs with the release in `giveBack`: who takes a session sees what its last user did to it.
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

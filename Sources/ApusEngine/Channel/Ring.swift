package import ApusSystem
import Synchronization

/// What a peer wrote into shared memory can't be: its process has run wild.
package struct ChannelCorruption: Error {
  package let detail: String
  package init(_ detail: String) { self.detail = detail }
}

/// Every record in a ring starts at a multiple of this many bytes, so that what follows its 32-byte header
/// is aligned for vector types, as `_RawRun.alignment` promises. A constant of this module, for the compiler to see.
package let recordAlignment = 32

/// The bytes that a record of `count` bytes takes in a ring.
@inline(__always)
package func recordSize(_ count: Int) -> Int { (count + recordAlignment - 1) & ~(recordAlignment - 1) }

/// The producing end of a single-producer, single-consumer ring of bytes.
///
/// Positions only grow; the place in memory is the position modulo the capacity. The ring's memory is
/// mapped twice in a row, so `capacity` bytes from any place on are contiguous.
package struct RingWriter {
  private let base: UnsafeMutableRawPointer
  package let capacity: Int
  private let tail: SharedWord
  private let head: SharedWord
  package private(set) var position: UInt64 = 0
  private var knownHead: UInt64 = 0

  package init(base: UnsafeMutableRawPointer, capacity: Int, tail: SharedWord, head: SharedWord) {
    precondition(capacity > 0 && capacity & (capacity - 1) == 0)
    (self.base, self.capacity, self.tail, self.head) = (base, capacity, tail, head)
  }

  /// Bytes that can be written now; looks at the consumer's progress only if fewer than `wanted` are known.
  @inline(__always)
  package mutating func space(atLeast wanted: Int) throws(ChannelCorruption) -> Int {
    let known = capacity - Int(truncatingIfNeeded: position &- knownHead)
    if known >= wanted { return known }
    // Acquire: pairs with the consumer's release in `consume`, which made the bytes ours again.
    let head = head.pointee.load(ordering: .acquiring)
    guard position &- head <= UInt64(capacity), head &- knownHead <= UInt64(capacity) else {
      throw ChannelCorruption("a ring's head is out of bounds")
    }
    knownHead = head
    return capacity - Int(truncatingIfNeeded: position &- head)
  }

  /// Where the byte `offset` after the write position goes.
  @inline(__always)
  package func place(_ offset: Int = 0) -> UnsafeMutableRawPointer {
    base + (Int(truncatingIfNeeded: position) & (capacity - 1)) + offset
  }

  /// Counts the next `count` bytes as written, for a `publish` to come.
  @inline(__always)
  package mutating func advance(_ count: Int) { position &+= UInt64(count) }

  /// Hands everything that was written, and the next `count` bytes, to the consumer.
  @inline(__always)
  package mutating func publish(_ count: Int = 0) {
    position &+= UInt64(count)
    // Release: the bytes are there before the position that covers them.
    tail.pointee.store(position, ordering: .releasing)
  }
}

/// The consuming end.
package struct RingReader {
  private let base: UnsafeMutableRawPointer
  package let capacity: Int
  private let tail: SharedWord
  private let head: SharedWord
  package private(set) var position: UInt64 = 0
  private var knownTail: UInt64 = 0

  package init(base: UnsafeMutableRawPointer, capacity: Int, tail: SharedWord, head: SharedWord) {
    precondition(capacity > 0 && capacity & (capacity - 1) == 0)
    (self.base, self.capacity, self.tail, self.head) = (base, capacity, tail, head)
  }

  /// Bytes that can be read now; looks at the producer's progress only if fewer than `wanted` are known.
  @inline(__always)
  package mutating func available(atLeast wanted: Int = 1) throws(ChannelCorruption) -> Int {
    let known = Int(truncatingIfNeeded: knownTail &- position)
    if known >= wanted { return known }
    // Acquire: pairs with the producer's release in `publish`.
    let tail = tail.pointee.load(ordering: .acquiring)
    guard tail &- position <= UInt64(capacity), tail &- knownTail <= UInt64(capacity) else {
      throw ChannelCorruption("a ring's tail is out of bounds")
    }
    knownTail = tail
    return Int(truncatingIfNeeded: tail &- position)
  }

  /// Where the byte `offset` after the read position lies.
  @inline(__always)
  package func place(_ offset: Int = 0) -> UnsafeMutableRawPointer {
    base + (Int(truncatingIfNeeded: position) & (capacity - 1)) + offset
  }

  /// Gives the next `count` bytes back to the producer.
  @inline(__always)
  package mutating func consume(_ count: Int) {
    position &+= UInt64(count)
    // Release: our reads are done before the producer may write there again.
    head.pointee.store(position, ordering: .releasing)
  }
}

import ApusSystem
import CApus
import Synchronization

/// The memory that the ranks of one machine share: a page of words for the job, a page for each rank, and for each
/// ordered pair of ranks what travels from the one to the other.
///
/// Each word has one writer but for those that say so, and nothing is a lock: a rank that is killed at any instant
/// leaves nothing held.
package final class LocalMemory: @unchecked Sendable {
  // Sound: constants; what they point to is made of atomics and of bytes that belong to one side at a time.

  static let pageSize = 4096
  /// Two cache lines, since the processor fetches them in pairs.
  static let lineSize = 128
  /// More ranks on one machine are likely a mistake, and the memory grows with the square of their number.
  package static let largestSize = 256

  package let size: Int
  let ringSize: Int
  private let base: UnsafeMutableRawPointer
  private let total: Int

  /// A ring's bytes. Large enough that a message which is streamed through it moves at the speed of memory.
  static func ringSize(ranks: Int) -> Int {
    switch ranks {
    case ...4: 256 << 10
    case ...16: 64 << 10
    case ...64: 16 << 10
    default: 8 << 10
    }
  }

  private static func pairSize(_ ringSize: Int) -> Int { PairMemory.ring + ringSize }

  /// The bytes that a job of so many ranks needs.
  package static func byteCount(ranks: Int) -> Int {
    pageSize * (1 + ranks) + ranks * ranks * pairSize(ringSize(ranks: ranks))
  }

  /// Fresh memory for a job; throws `MessageError` (`noResources`).
  package static func make(ranks: Int) throws -> OwnedDescriptor {
    let number = apus_memory_create("apus-ranks", byteCount(ranks: ranks))
    guard number >= 0 else {
      let problem = ProcessError(errno: -number, doing: "making the shared memory of \(ranks) ranks")
      throw MessageError(.noResources, "\(problem)", underlying: problem)
    }
    return OwnedDescriptor(number)
  }

  /// Maps the memory that `make` made.
  package init(_ descriptor: Int32, ranks: Int) throws {
    guard (1...Self.largestSize).contains(ranks),
      apus_memory_is_sealed(descriptor, Self.byteCount(ranks: ranks)),
      let base = apus_memory_map(descriptor, Self.byteCount(ranks: ranks), 0, 0)
    else { throw MessageError(.startUpFailed, "the shared memory of the job is not what it should be") }
    (size, ringSize, self.base, total) = (
      ranks, Self.ringSize(ranks: ranks), base, Self.byteCount(ranks: ranks)
    )
  }

  deinit { apus_memory_unmap(base, total, 0, 0) }

  // MARK: The job

  private func word(_ page: Int, _ line: Int, _ index: Int = 0) -> SharedWord {
    (base + page * Self.pageSize + line * Self.lineSize + index * 8)
      .assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// One more than the first rank that failed, or 0. Written by the supervisor.
  var failed: SharedWord { word(0, 0) }

  /// Notes the first rank that failed and wakes all: whoever waits, now or later, throws an error about it.
  package func markFailed(rank: Int) {
    _ = failed.pointee.compareExchange(expected: 0, desired: UInt64(rank) + 1, ordering: .releasing)
    for peer in 0..<size { self.rank(peer).wakeThreads() }
  }

  /// Takes the rank's process number back (0 is none): no peer reads or writes its memory any more.
  package func forgetProcess(rank: Int) {
    self.rank(rank).process.pointee.store(0, ordering: .releasing)
  }

  // MARK: A rank

  func rank(_ rank: Int) -> RankWords { RankWords(base: base + (1 + rank) * Self.pageSize) }

  // MARK: A pair

  func pair(from source: Int, to destination: Int) -> PairMemory {
    let index = source * size + destination
    return PairMemory(base: base + (1 + size) * Self.pageSize + index * Self.pairSize(ringSize))
  }
}

/// What a rank says of itself.
struct RankWords {
  let base: UnsafeMutableRawPointer

  private func word(_ line: Int, _ index: Int = 0) -> SharedWord {
    (base + line * LocalMemory.lineSize + index * 8).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// In the lowest bit whether a thread of the rank sleeps or is about to; above it how often the rank was
  /// woken. Changed by all ranks.
  private var sleeping: SharedWord { word(0) }
  /// Its process; 0 before it has joined, and once the supervisor has lost it.
  var process: SharedWord { word(1) }
  /// 1 once it has ended its part in good order.
  var hasEnded: SharedWord { word(1, 1) }
  /// 1 if the kernel lets it have no membarrier, so that others have to fence.
  var needsFences: SharedWord { word(1, 2) }
  /// The rank has given up its rendezvous messages up to this number, as far as they were not over.
  var withdrawn: SharedWord { word(1, 3) }
  /// Odd while the rank is blocked: all its threads wait for messages, and nothing else can wake them.
  /// Another number each time.
  var blocked: SharedWord { word(2) }
  /// What it waits for then; see `Awaited`.
  var awaited: SharedWord { word(2, 1) }
  var awaitedTag: SharedWord { word(2, 2) }
  /// What `blocked` was in a deadlock that was found, or `.max` if the rank had ended. Written by the finder.
  var deadlocked: SharedWord { word(2, 3) }

  // MARK: Sleeping

  @inline(__always)
  var isSleeping: Bool { sleeping.pointee.load(ordering: .sequentiallyConsistent) & 1 != 0 }

  /// Says that a thread is about to sleep, and returns what `sleep` is to expect. Between the two, look once
  /// more for what is waited for.
  func announceSleep() -> UInt32 {
    UInt32(truncatingIfNeeded: sleeping.pointee.bitwiseOr(1, ordering: .sequentiallyConsistent).newValue)
  }

  /// Sleeps until the rank is woken; not at all if it was since `announceSleep`.
  func sleep(_ expected: UInt32, nanoseconds: Int64) { apus_futex_wait(sleeping, expected, nanoseconds) }

  func wasWoken(since expected: UInt32) -> Bool {
    UInt32(truncatingIfNeeded: sleeping.pointee.load(ordering: .sequentiallyConsistent)) != expected
  }

  /// No thread sleeps any more.
  func endSleep() { sleeping.pointee.bitwiseAnd(~1, ordering: .relaxed) }

  /// Wakes all threads of the rank, whatever they wait for.
  func wakeThreads() {
    var before = sleeping.pointee.load(ordering: .relaxed)
    while true {
      // The number changes, so a thread between `announceSleep` and `sleep` does not sleep.
      let (exchanged, original) = sleeping.pointee.compareExchange(
        expected: before, desired: (before & ~1) &+ 2, ordering: .sequentiallyConsistent)
      if exchanged { break }
      before = original
    }
    apus_futex_wake(sleeping, .max)
  }
}

/// What travels from one rank to another: slots of a cache line each, in order, and a ring of bytes behind them.
struct PairMemory {
  static let slotCount = 64
  static let slotSize = 64
  private static let consumed = slotCount * slotSize
  static let ring = consumed + LocalMemory.pageSize

  let base: UnsafeMutableRawPointer

  /// How many slots, and ring bytes, the receiver is done with. Written by the receiver.
  var consumedSlots: SharedWord {
    (base + Self.consumed).assumingMemoryBound(to: Atomic<UInt64>.self)
  }
  var consumedBytes: SharedWord {
    (base + Self.consumed + 8).assumingMemoryBound(to: Atomic<UInt64>.self)
  }
  /// For a message that sender and receiver copy together. Cache lines of its own.
  var copyWords: CopyWords { CopyWords(base: base + Self.consumed + LocalMemory.lineSize) }
  var bytes: UnsafeMutableRawPointer { base + Self.ring }
  /// Whether the receiver has not taken all that was sent. Other ranks may ask too.
  var hasUnread: Bool {
    let next = consumedSlots.pointee.load(ordering: .acquiring) &+ 1
    return slot(next).sequence.pointee.load(ordering: .acquiring) == next
  }
  func slot(_ number: UInt64) -> Slot {
    Slot(base: base + Int(truncatingIfNeeded: number & UInt64(Self.slotCount - 1)) * Self.slotSize)
  }
}

/// A message, or a fragment of one: one cache line, so that a small message costs one line's way from core to core.
///
/// The sequence number is written last. A slot's number differs from all that were in it before, so nothing has to be
/// cleared.
struct Slot {
  enum Way {
    /// Inline: the bytes are in the slot.
    static let inline: UInt64 = 0
    /// Eager: the bytes are in the ring.
    static let ring: UInt64 = 1
    /// Rendezvous: the bytes are in the sender's memory, from where the receiver copies them.
    static let remote: UInt64 = 2
    /// A fragment of a rendezvous message, in the ring.
    static let fragment: UInt64 = 3
    /// An answer to a rendezvous message: its bytes are copied, or nobody wants them.
    static let done: UInt64 = 4
    /// An answer: the receiver can't read the sender's memory, and wants fragments.
    static let stream: UInt64 = 5

    static let bits: UInt64 = 3
    static let mask: UInt64 = 7
  }
  static let inlineLimit = 32

  let base: UnsafeMutableRawPointer

  var sequence: SharedWord { base.assumingMemoryBound(to: Atomic<UInt64>.self) }

  var context: UInt32 {
    get { base.load(fromByteOffset: 8, as: UInt32.self) }
    nonmutating set { base.storeBytes(of: newValue, toByteOffset: 8, as: UInt32.self) }
  }
  var tag: Int32 {
    get { base.load(fromByteOffset: 12, as: Int32.self) }
    nonmutating set { base.storeBytes(of: newValue, toByteOffset: 12, as: Int32.self) }
  }
  var type: UInt64 {
    get { base.load(fromByteOffset: 16, as: UInt64.self) }
    nonmutating set { base.storeBytes(of: newValue, toByteOffset: 16, as: UInt64.self) }
  }
  /// The number of bytes, and in the lowest bits how they travel (`Way`).
  var countAndWay: UInt64 {
    get { base.load(fromByteOffset: 24, as: UInt64.self) }
    nonmutating set { base.storeBytes(of: newValue, toByteOffset: 24, as: UInt64.self) }
  }
  var inline: UnsafeMutableRawPointer { base + 32 }
  /// Where the bytes are: a position in the ring, or an address.
  var position: UInt64 {
    get { base.load(fromByteOffset: 32, as: UInt64.self) }
    nonmutating set { base.storeBytes(of: newValue, toByteOffset: 32, as: UInt64.self) }
  }
  /// The sender's number of a rendezvous message.
  var number: UInt64 {
    get { base.load(fromByteOffset: 40, as: UInt64.self) }
    nonmutating set { base.storeBytes(of: newValue, toByteOffset: 40, as: UInt64.self) }
  }
  /// Whether the sender of a rendezvous message does nothing but wait, so that it can help to copy.
  var isAwaited: Bool {
    get { base.load(fromByteOffset: 48, as: UInt64.self) == 1 }
    nonmutating set { base.storeBytes(of: newValue ? 1 : 0, toByteOffset: 48, as: UInt64.self) }
  }
}

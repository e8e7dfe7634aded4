import ApusSystem
import Synchronization

/// What comes from one rank, as its receiver sees it.
struct IncomingPair {
  let memory: PairMemory
  let peer: RankWords
  let rank: Int32
  /// The sequence number that the next message will have.
  private(set) var next: UInt64 = 1
  private(set) var consumedBytes: UInt64 = 0

  init(_ memory: PairMemory, peer: RankWords, rank: Int) {
    (self.memory, self.peer, self.rank) = (memory, peer, Int32(rank))
  }

  @inline(__always)
  var slot: Slot { memory.slot(next) }

  /// Whether a slot is there to be read. Acquire: pairs with the release of its sequence number.
  @inline(__always)
  var hasNews: Bool { slot.sequence.pointee.load(ordering: .acquiring) == next }

  /// Gives the slot that was read back to the sender.
  @inline(__always)
  mutating func consume() {
    // Release: what was read was read before the sender may write there again.
    memory.consumedSlots.pointee.store(next, ordering: .releasing)
    next &+= 1
  }

  /// Gives the bytes of the ring up to a position back to the sender.
  @inline(__always)
  mutating func consumeBytes(to position: UInt64) {
    consumedBytes = position
    memory.consumedBytes.pointee.store(position, ordering: .releasing)
  }
}

/// What goes to one rank, as its sender sees it.
struct OutgoingPair {
  let memory: PairMemory
  let peer: RankWords
  let ringSize: Int
  private var next: UInt64 = 1
  private var knownConsumed: UInt64 = 0
  private var position: UInt64 = 0
  private var knownConsumedBytes: UInt64 = 0

  /// Sends to this rank that wait for a slot. Later sends go behind them, so messages keep their order.
  var queue = Queue<PendingSend>()
  /// Answers to this rank that wait for a slot: the message's number, and `Slot.Way.done` or `.stream`.
  let answers = Queue<(number: UInt64, way: UInt64)>()

  init(_ memory: PairMemory, peer: RankWords, ringSize: Int) {
    (self.memory, self.peer, self.ringSize) = (memory, peer, ringSize)
  }

  /// The next slot, or nil while the receiver has to read first.
  @inline(__always)
  mutating func freeSlot() -> Slot? {
    if next &- knownConsumed > UInt64(PairMemory.slotCount) {
      // Acquire: pairs with the release in `consume`.
      knownConsumed = memory.consumedSlots.pointee.load(ordering: .acquiring)
      if next &- knownConsumed > UInt64(PairMemory.slotCount) { return nil }
    }
    return memory.slot(next)
  }

  /// Hands the slot to the receiver.
  @inline(__always)
  mutating func publish(_ slot: Slot) {
    slot.sequence.pointee.store(next, ordering: .releasing)
    next &+= 1
  }

  /// The position of `count` free contiguous bytes (whole cache lines); nil while there is no room.
  mutating func freeBytes(_ count: Int) -> UInt64? {
    let needed = UInt64((count + 63) & ~63)
    let capacity = UInt64(ringSize)
    let offset = position & (capacity - 1)
    // A message that would wrap round the end goes to the start of the ring.
    let start = offset + needed > capacity ? position + (capacity - offset) : position
    if start + needed &- knownConsumedBytes > capacity {
      knownConsumedBytes = memory.consumedBytes.pointee.load(ordering: .acquiring)
      if start + needed &- knownConsumedBytes > capacity { return nil }
    }
    return start
  }

  /// Counts the bytes at `start`, which `freeBytes` gave, as written.
  mutating func advance(to start: UInt64, _ count: Int) { position = start + UInt64((count + 63) & ~63) }

  func pointer(_ position: UInt64) -> UnsafeMutableRawPointer {
    memory.bytes + Int(truncatingIfNeeded: position & UInt64(ringSize - 1))
  }
}

/// A rendezvous message that comes in fragments.
struct IncomingStream {
  let source: Int32
  let number: UInt64
  /// Nil: nobody wants it any more.
  var destination: UnsafeMutableRawPointer?
  var rest: Int
}

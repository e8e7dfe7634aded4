/// The coding keys of one message, each once, numbered in order of first use.
///
/// Every field of every struct asks for its key's number, so equal keys are recognised by the sixteen bytes of
/// the `String` itself, without hashing their text: equal bits are an equal string, as `keys` keeps the strings
/// alive. A key on the heap that is made anew each time has other bits each time; `owned` finds those by their text.
///
/// A message has mostly the keys of the last one in the same order. They are kept, with their text as it is sent,
/// and used again as far as they are the same.
struct KeyTable {
  private struct Slot {
    var bits: StringBits
    var number: Int
    /// The slot is in use if this is the table's generation: resetting a table need not touch the slots.
    var generation = 0
  }

  /// How many keys this message has.
  private(set) var count = 0
  /// The keys of this message, and behind them what the last one had there.
  private(set) var keys: [String] = []
  private var bits = Stack<StringBits>()
  /// The text of `keys`: for each its length (varint) and UTF-8. And where each ends.
  private var text = ByteStore(capacity: 256)
  private var ends = Stack<Int>()
  private var owned: [String: Int] = [:]
  private var slots: UnsafeMutablePointer<Slot>
  private var slotCount = 64
  private var generation = 1

  init() { slots = Self.emptySlots(slotCount) }

  /// What a message says about its keys.
  var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: text.base, count: count == 0 ? 0 : ends[count - 1])
  }

  /// The number of `key`. Amortised O(1).
  @inline(__always)
  mutating func number(of key: String) -> Int {
    let bits = StringBits(key)
    let mask = slotCount - 1
    var index = Self.hash(bits) & mask
    while slots[index].generation == generation {
      if slots[index].bits == bits { return slots[index].number }
      index = (index + 1) & mask
    }
    if count < self.bits.count, self.bits[count] == bits, !bits.isOwned, (count + 1) * 2 <= slotCount {
      slots[index] = Slot(bits: bits, number: count, generation: generation)
      count += 1
      return count - 1
    }
    return insert(key, bits, at: index)
  }

  @inline(never)
  private mutating func insert(_ key: String, _ bits: StringBits, at index: Int) -> Int {
    if bits.isOwned {
      if let number = owned[key] { return number }
      owned[key] = count
    }
    if count < keys.count { forget(from: count) }
    keys.append(key)
    self.bits.push(bits)
    let length = key.utf8.count
    text.append(varint: length)
    text.append(utf8: key, count: length)
    ends.push(text.count)
    slots[index] = Slot(bits: bits, number: count, generation: generation)
    count += 1
    if count * 2 > slotCount { enlarge() }
    return count - 1
  }

  /// Drops what was kept of the last message from its key `number` on.
  private mutating func forget(from number: Int) {
    keys.removeLast(keys.count - number)
    bits.truncate(to: number)
    ends.truncate(to: number)
    text.truncate(to: number == 0 ? 0 : ends[number - 1])
  }

  private mutating func enlarge() {
    let (old, oldCount) = (slots, slotCount)
    slotCount *= 2
    slots = Self.emptySlots(slotCount)
    for slot in UnsafeBufferPointer(start: old, count: oldCount) where slot.generation == generation {
      var index = Self.hash(slot.bits) & (slotCount - 1)
      while slots[index].generation == generation { index = (index + 1) & (slotCount - 1) }
      slots[index] = slot
    }
    old.deallocate()
  }

  /// Ends a message, and keeps memory only of a size that a usual message needs.
  @inline(__always)
  mutating func reset() {
    generation += 1
    count = 0
    if !owned.isEmpty || slotCount > 1024 { clear() }
  }

  @inline(never)
  private mutating func clear() {
    owned = [:]
    forget(from: 0)
    guard slotCount > 1024 else { return }
    keys = []
    bits.shrink()
    ends.shrink()
    text.reset(keeping: 4096)
    slots.deallocate()
    slotCount = 64
    slots = Self.emptySlots(slotCount)
  }

  private static func emptySlots(_ count: Int) -> UnsafeMutablePointer<Slot> {
    let slots = UnsafeMutablePointer<Slot>.allocate(capacity: count)
    slots.initialize(repeating: Slot(bits: StringBits(""), number: 0), count: count)
    return slots
  }

  @inline(__always)
  private static func hash(_ bits: StringBits) -> Int {
    let mixed = (bits.low ^ (bits.high &* 0xFF51_AFD7_ED55_8CCD)) &* 0x9E37_79B9_7F4A_7C15
    return Int(truncatingIfNeeded: mixed >> 40)
  }
}

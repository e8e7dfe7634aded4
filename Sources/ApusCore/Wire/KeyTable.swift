/// The coding keys of one message, each once, numbered in order of first use.
///
/// Every field of every struct asks for its key's number, so equal keys are recognised by the sixteen bytes of
/// the `String` itself, without hashing their text: equal bits are an equal string, as `keys` keeps the strings
/// alive. A long key that is made anew each time has other bits each time; `long` finds those by their text.
struct KeyTable {
  private struct Slot {
    var bits: (UInt64, UInt64) = (0, 0)
    var number = 0
    /// The slot is in use if this is the table's generation: resetting a table need not touch the slots.
    var generation = 0
  }

  private(set) var keys: [String] = []
  private var long: [String: Int] = [:]
  private var slots = [Slot](repeating: Slot(), count: 64)
  private var generation = 1

  /// The number of `key`. Amortised O(1).
  mutating func number(of key: String) -> Int {
    let bits = unsafeBitCast(key, to: (UInt64, UInt64).self)
    let mask = slots.count - 1
    var index = Self.hash(bits) & mask
    while slots[index].generation == generation {
      if slots[index].bits == bits { return slots[index].number }
      index = (index + 1) & mask
    }
    return insert(key, bits, at: index)
  }

  @inline(never)
  private mutating func insert(_ key: String, _ bits: (UInt64, UInt64), at index: Int) -> Int {
    let isLong = key.utf8.count > 15
    if isLong, let number = long[key] { return number }
    let number = keys.count
    if isLong { long[key] = number }
    keys.append(key)
    slots[index] = Slot(bits: bits, number: number, generation: generation)
    if keys.count * 2 > slots.count { enlarge() }
    return number
  }

  private mutating func enlarge() {
    let old = slots
    slots = [Slot](repeating: Slot(), count: old.count * 2)
    for slot in old where slot.generation == generation {
      var index = Self.hash(slot.bits) & (slots.count - 1)
      while slots[index].generation == generation { index = (index + 1) & (slots.count - 1) }
      slots[index] = slot
    }
  }

  /// Forgets all keys, and keeps memory only of a size that a usual message needs.
  mutating func reset() {
    guard slots.count <= 1024 else {
      self = KeyTable()
      return
    }
    generation += 1
    keys.removeAll(keepingCapacity: true)
    if !long.isEmpty { long.removeAll() }
  }

  @inline(__always)
  private static func hash(_ bits: (UInt64, UInt64)) -> Int {
    let mixed = (bits.0 ^ (bits.1 &* 0xFF51_AFD7_ED55_8CCD)) &* 0x9E37_79B9_7F4A_7C15
    return Int(truncatingIfNeeded: mixed >> 40)
  }
}

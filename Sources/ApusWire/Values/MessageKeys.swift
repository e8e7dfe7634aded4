import Glibc

/// The coding keys of a message that is read, by their numbers.
///
/// A message has mostly the keys of the last one: what was read of them is used again then.
struct MessageKeys {
  private(set) var texts: [String] = []
  private var bits = Stack<StringBits>()
  /// The table that `texts` was read from.
  private var table = ByteStore(capacity: 256)

  var count: Int { bits.count }

  /// Reads a table of keys; false if it is damaged.
  @inline(__always)
  mutating func read(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if bytes.count == table.count, bytes.isEmpty || memcmp(bytes.baseAddress!, table.base, bytes.count) == 0 {
      return true
    }
    return readAnew(bytes)
  }

  @inline(never)
  private mutating func readAnew(_ bytes: UnsafeRawBufferPointer) -> Bool {
    texts.removeAll(keepingCapacity: texts.capacity <= 1024)
    bits.truncate(to: 0)
    bits.shrink()
    table.reset(keeping: 4096)
    guard let base = bytes.baseAddress else { return true }
    var position = 0
    while position < bytes.count {
      guard let length = base.varint(at: &position, end: bytes.count), length <= bytes.count - position,
        let key = String(utf8: UnsafeRawBufferPointer(start: base + position, count: length))
      else {
        // `table` is empty here, so there must be no keys either: the next message may have none.
        texts.removeAll()
        bits.truncate(to: 0)
        return false
      }
      texts.append(key)
      bits.push(StringBits(key))
      position += length
    }
    table.append(contentsOf: bytes)
    return true
  }

  /// Keeps memory only of a size that a usual message needs.
  @inline(__always)
  mutating func trim() {
    if count > 1024 || table.count > 1 << 16 { _ = readAnew(UnsafeRawBufferPointer(start: nil, count: 0)) }
  }

  @inline(__always)
  func matches(_ number: Int, _ key: String) -> Bool {
    let (mine, other) = (bits[number], StringBits(key))
    if mine == other { return true }
    return mine.isSmallASCII && other.isSmallASCII ? false : sameText(number, key)
  }

  @inline(never)
  private func sameText(_ number: Int, _ key: String) -> Bool {
    // The length first: comparing two different strings costs more than comparing two equal ones.
    texts[number].utf8.count == key.utf8.count && texts[number] == key
  }
}

extension UnsafeRawPointer {
  /// A length. Never negative, and of at most nine bytes.
  @inline(__always)
  func varint(at position: inout Int, end: Int) -> Int? {
    guard position < end else { return nil }
    let first = load(fromByteOffset: position, as: UInt8.self)
    position += 1
    return first < 0x80 ? Int(first) : longVarint(Int(first & 0x7F), at: &position, end: end)
  }

  @inline(never)
  private func longVarint(_ first: Int, at position: inout Int, end: Int) -> Int? {
    var value = first
    var shift = 7
    while position < end, shift < 63 {
      let next = load(fromByteOffset: position, as: UInt8.self)
      position += 1
      value |= Int(next & 0x7F) << shift
      if next < 0x80 { return value }
      shift += 7
    }
    return nil
  }
}

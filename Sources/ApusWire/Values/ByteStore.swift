public import Glibc

/// Memory that grows at its end: what a `ByteBuffer` owns, and what the coder writes to without a reference in the way.
///
/// A copy has the same memory: use and free only one of the two.
@frozen
@usableFromInline
struct ByteStore {
  /// The number of bytes in use.
  @usableFromInline var count = 0
  @usableFromInline var capacity: Int
  /// The first byte. Valid until the store next grows.
  @usableFromInline var base: UnsafeMutableRawPointer

  @usableFromInline
  init(capacity: Int) {
    // Never nil: an empty store has a base address too, which spares every user a special case.
    self.capacity = max(capacity, 16)
    base = Self.checked(malloc(self.capacity))
  }

  @usableFromInline
  func free() { Glibc.free(base) }

  @inlinable
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// The first byte that is not in use. Valid for as many bytes as were reserved.
  @inline(__always)
  var tail: UnsafeMutableRawPointer { base + count }

  @inlinable
  @inline(__always)
  mutating func reserve(_ extra: Int) {
    if extra > capacity - count { grow(by: extra) }
  }

  @inlinable
  @inline(__always)
  mutating func uninitialized(count extra: Int) -> UnsafeMutableRawPointer {
    precondition(extra >= 0)
    reserve(extra)
    defer { count += extra }
    return base + count
  }

  @inlinable
  @inline(__always)
  mutating func append(contentsOf source: UnsafeRawBufferPointer) {
    guard let first = source.baseAddress else { return }
    memcpy(uninitialized(count: source.count), first, source.count)
  }

  @inlinable
  @inline(__always)
  mutating func append<T: BitwiseCopyable>(_ value: T) {
    reserve(MemoryLayout<T>.size)
    (base + count).storeBytes(of: value, as: T.self)
    count += MemoryLayout<T>.size
  }

  /// Counts `extra` bytes as used that were written behind the end, after a `reserve`.
  @inline(__always)
  mutating func commit(_ extra: Int) {
    assert(extra <= capacity - count)
    count += extra
  }

  @inlinable
  @inline(__always)
  mutating func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count)
    self.count = count
  }

  /// Makes the store empty; a large one gives its memory back.
  @usableFromInline
  mutating func reset(keeping limit: Int) {
    count = 0
    guard capacity > limit else { return }
    capacity = 16
    base = Self.checked(realloc(base, capacity))
  }

  /// Appends a length: seven bits a byte, the least first, the top bit set on all but the last.
  @inline(__always)
  mutating func append(varint value: Int) {
    var rest = UInt(bitPattern: value)
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(truncatingIfNeeded: rest))
  }

  /// Appends the text of `string`, without a length.
  @inline(__always)
  mutating func append(utf8 string: String, count: Int) {
    let bits = StringBits(string)
    if bits.isSmall {
      reserve(16)
      (base + self.count).storeBytes(of: bits.low.littleEndian, as: UInt64.self)
      (base + self.count + 8).storeBytes(of: bits.high.littleEndian, as: UInt64.self)
      self.count += count
    } else {
      append(elements: string.utf8)
    }
  }

  /// Appends the bytes of `elements`.
  @inline(__always)
  mutating func append(elements: some Sequence<UInt8>) {
    let done: Void? = elements.withContiguousStorageIfAvailable {
      append(contentsOf: UnsafeRawBufferPointer($0))
    }
    if done == nil { for byte in elements { append(byte) } }
  }

  @inline(never)
  @usableFromInline
  mutating func grow(by extra: Int) {
    let (needed, overflow) = count.addingReportingOverflow(extra)
    precondition(!overflow, "a buffer cannot be larger than the address space")
    // Half as much again for large buffers: realloc of a large block is a remap on Linux, not a copy.
    let doubled = capacity < 1 << 20 ? capacity * 2 : capacity + capacity / 2
    capacity = max(needed, doubled)
    base = Self.checked(realloc(base, capacity))
  }

  private static func checked(_ pointer: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer {
    guard let pointer else { fatalError("out of memory") }
    return pointer
  }
}

/// The sixteen bytes of a `String` itself. Equal bits are an equal string, as long as one of the two is alive.
package struct StringBits: Equatable, BitwiseCopyable {
  package let low: UInt64
  package let high: UInt64

  @inline(__always)
  package init(_ string: String) {
    let bits = unsafeBitCast(string, to: (UInt64, UInt64).self)
    (low, high) = (bits.0, bits.1)
  }

  package init(low: UInt64, high: UInt64) { (self.low, self.high) = (low, high) }

  /// Text of up to 15 bytes lies in these bytes, from the lowest on: Swift's layout on all 64-bit platforms.
  @inline(__always)
  var isSmall: Bool { high & 0x2000_0000_0000_0000 != 0 }

  /// Small, and all of it ASCII: equal text of two such strings has equal bits.
  @inline(__always)
  var isSmallASCII: Bool { high >> 60 == 0xE }

  /// The text is in memory of the heap: equal text may have other bits.
  @inline(__always)
  var isOwned: Bool { high >> 63 == 0 }
}

/// A stack of what is open in a session. Never freed, as sessions are not.
struct Stack<Element: BitwiseCopyable> {
  private(set) var count = 0
  private var capacity = 32
  private var base = UnsafeMutablePointer<Element>.allocate(capacity: 32)

  @inline(__always)
  subscript(index: Int) -> Element {
    get {
      assert(index >= 0 && index < count)
      return base[index]
    }
    nonmutating _modify {
      assert(index >= 0 && index < count)
      yield &base[index]
    }
  }

  @inline(__always)
  mutating func push(_ element: Element) {
    if count == capacity { resize(to: capacity * 2) }
    (base + count).initialize(to: element)
    count += 1
  }

  /// Drops all but the first `count`.
  @inline(__always)
  mutating func truncate(to count: Int) {
    if count < self.count { self.count = count }
  }

  /// Gives memory back of a size that a usual message does not need.
  mutating func shrink() {
    if capacity > 1024, count <= 32 { resize(to: 32) }
  }

  @inline(never)
  private mutating func resize(to capacity: Int) {
    let old = base
    base = .allocate(capacity: capacity)
    base.update(from: old, count: count)
    old.deallocate()
    self.capacity = capacity
  }
}

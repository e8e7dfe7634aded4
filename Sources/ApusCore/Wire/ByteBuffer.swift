import Glibc

/// A growable run of bytes outside Swift's array machinery.
///
/// An array zeroes or checks uniqueness where a coder only wants to append; this appends with one comparison.
/// Appending is amortised O(1) a byte. Running out of memory ends the process, as it does for an array.
// @unchecked Sendable: the owner is one thread at a time, and whoever hands a buffer over does it under a
// lock or through a channel that orders memory; nothing here is shared while it is being written.
package final class ByteBuffer: @unchecked Sendable {
  // Exclusivity of the hot properties is not checked at run time: it costs as much as writing a field does. No
  // access to them spans a call that could reach them again.

  /// The number of bytes in use.
  @exclusivity(unchecked) package private(set) var count = 0
  @exclusivity(unchecked) private var storage: UnsafeMutableRawPointer
  @exclusivity(unchecked) private var capacity: Int

  /// An empty buffer with room for `capacity` bytes.
  package init(capacity: Int = 0) {
    // Never nil: an empty buffer has a base address too, which spares every user a special case.
    self.capacity = max(capacity, 16)
    storage = Self.checked(malloc(self.capacity))
  }

  deinit { free(storage) }

  /// The first byte. Valid until the buffer next grows or dies.
  package var baseAddress: UnsafeMutableRawPointer { storage }

  /// The bytes in use. Valid until the buffer next grows or dies.
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: storage, count: count) }

  /// Makes room for `extra` more bytes without changing `count`.
  @inline(__always)
  package func reserve(_ extra: Int) {
    if extra > capacity - count { grow(by: extra) }
  }

  /// Adds `count` bytes of unspecified content and returns a pointer to the first of them.
  package func uninitialized(count extra: Int) -> UnsafeMutableRawPointer {
    precondition(extra >= 0)
    reserve(extra)
    defer { count += extra }
    return storage + count
  }

  /// Appends a copy of `source`, which may not lie inside this buffer.
  package func append(contentsOf source: UnsafeRawBufferPointer) {
    guard let base = source.baseAddress else { return }
    memcpy(uninitialized(count: source.count), base, source.count)
  }

  /// Appends the memory of `value`: `MemoryLayout<T>.size` bytes, in this machine's byte order.
  @inline(__always)
  package func append<T: BitwiseCopyable>(_ value: T) {
    reserve(MemoryLayout<T>.size)
    (storage + count).storeBytes(of: value, as: T.self)
    count += MemoryLayout<T>.size
  }

  /// Appends zeros until the count is a multiple of `stride`.
  package func pad(to stride: Int) {
    let missing = (stride - count % stride) % stride
    if missing > 0 { memset(uninitialized(count: missing), 0, missing) }
  }

  /// Makes the buffer empty, and gives its memory back unless told to keep it.
  package func removeAll(keepingCapacity: Bool = false) {
    count = 0
    guard !keepingCapacity else { return }
    capacity = 16
    storage = Self.checked(realloc(storage, capacity))
  }

  /// Drops what was appended since the buffer held `count` bytes.
  package func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count)
    self.count = count
  }

  /// Counts `extra` bytes as used that the caller has already written behind the end, after a `reserve`.
  @inline(__always)
  func commit(_ extra: Int) {
    assert(extra <= capacity - count)
    count += extra
  }

  /// The first byte that is not in use. Valid for as many bytes as were reserved.
  @inline(__always)
  var tail: UnsafeMutableRawPointer { storage + count }

  @inline(never)
  private func grow(by extra: Int) {
    let (needed, overflow) = count.addingReportingOverflow(extra)
    precondition(!overflow, "a buffer cannot be larger than the address space")
    // Half as much again for large buffers: realloc of a large block is a remap on Linux, not a copy.
    let doubled = capacity < 1 << 20 ? capacity * 2 : capacity + capacity / 2
    capacity = max(needed, doubled)
    storage = Self.checked(realloc(storage, capacity))
  }

  private static func checked(_ pointer: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer {
    guard let pointer else { fatalError("out of memory") }
    return pointer
  }
}

/// A growable run of bytes outside Swift's array machinery.
///
/// An array zeroes or checks uniqueness where a coder only wants to append; this appends with one comparison.
/// Appending is amortised O(1) a byte. Running out of memory ends the process, as it does for an array.
@_documentation(visibility: internal)
public final class ByteBuffer: @unchecked Sendable {
  // Sound: the owner is one thread at a time, and whoever hands a buffer over does it under a lock or through a
  // channel that orders memory; nothing here is shared while it is being written.

  // Exclusivity is not checked at run time: it costs as much as writing a field does. No access spans a call that
  // could reach it again.
  @exclusivity(unchecked) @usableFromInline var store: ByteStore

  /// An empty buffer with room for `capacity` bytes.
  @inlinable
  public init(capacity: Int = 0) { store = ByteStore(capacity: capacity) }

  deinit { store.free() }

  /// The number of bytes in use.
  @inlinable public var count: Int { store.count }

  /// The first byte. Valid until the buffer next grows or dies.
  @inlinable public var baseAddress: UnsafeMutableRawPointer { store.base }

  /// The bytes in use. Valid until the buffer next grows or dies.
  @inlinable public var bytes: UnsafeRawBufferPointer { store.bytes }

  /// Makes room for `extra` more bytes without changing `count`.
  @inlinable
  @inline(__always)
  public func reserve(_ extra: Int) { store.reserve(extra) }

  /// Adds `count` bytes of unspecified content and returns a pointer to the first of them.
  @inlinable
  public func uninitialized(count extra: Int) -> UnsafeMutableRawPointer {
    store.uninitialized(count: extra)
  }

  /// Appends a copy of `source`, which may not lie inside this buffer.
  @inlinable
  public func append(contentsOf source: UnsafeRawBufferPointer) { store.append(contentsOf: source) }

  /// Appends the memory of `value`: `MemoryLayout<T>.size` bytes, in this machine's byte order.
  @inlinable
  @inline(__always)
  public func append<T: BitwiseCopyable>(_ value: T) { store.append(value) }

  /// Appends zeros until the count is a multiple of `stride`.
  package func pad(to stride: Int) {
    let missing = (stride - count % stride) % stride
    if missing > 0 {
      uninitialized(count: missing).initializeMemory(as: UInt8.self, repeating: 0, count: missing)
    }
  }

  /// Makes the buffer empty, and gives its memory back unless told to keep it.
  @inlinable
  public func removeAll(keepingCapacity: Bool = false) { store.reset(keeping: keepingCapacity ? .max : 16) }

  /// Drops what was appended since the buffer held `count` bytes.
  @inlinable
  public func truncate(to count: Int) { store.truncate(to: count) }

  func append(varint value: Int) { store.append(varint: value) }

  func append(utf8 string: String) { store.append(utf8: string, count: string.utf8.count) }

  func append(elements: some Sequence<UInt8>) { store.append(elements: elements) }

  /// Puts another store in place of its own, which is returned: the coder writes without a reference in the way.
  func exchange(_ other: ByteStore) -> ByteStore {
    let mine = store
    store = other
    return mine
  }
}

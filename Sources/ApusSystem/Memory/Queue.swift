/// First in, first out, in a circle of slots. Amortised O(1) at both ends.
///
/// The memory is its own, so that an element can be looked at and changed where it lies. To take one out of an array
/// and put it back counts its references up and down, which takes longer than a small task.
@_documentation(visibility: internal)
public final class Queue<Element> {
  // Sound: the `used` slots from `head` on hold elements and no others do; `QueueTests` holds it against an array. Its
  // owner has a lock, or is one thread. A class, since a copy of a struct would have the same memory.
  @exclusivity(unchecked) @usableFromInline var slots: UnsafeMutablePointer<Element>?
  /// A power of two, or 0.
  @exclusivity(unchecked) @usableFromInline var capacity = 0
  @exclusivity(unchecked) @usableFromInline var head = 0
  @exclusivity(unchecked) @usableFromInline var used = 0

  /// An empty queue.
  @inlinable
  public init() {}

  @inlinable
  deinit { removeAll() }

  /// The number of elements.
  @inlinable public var count: Int { used }
  /// Whether there is none.
  @inlinable public var isEmpty: Bool { used == 0 }
  /// The one that was appended first.
  @inlinable public var first: Element? { isEmpty ? nil : self[0] }
  /// The one that was appended last.
  @inlinable public var last: Element? { isEmpty ? nil : self[used - 1] }

  /// The element that `index` others are before, where it lies.
  @inlinable
  public subscript(index: Int) -> Element {
    @inline(__always) _read {
      precondition(index >= 0 && index < used)
      yield place(index).pointee
    }
    @inline(__always) _modify {
      precondition(index >= 0 && index < used)
      yield &place(index).pointee
    }
  }

  @inlinable
  @inline(__always)
  func place(_ index: Int) -> UnsafeMutablePointer<Element> {
    slots.unsafelyUnwrapped + ((head &+ index) & (capacity &- 1))
  }

  /// Whether any element is such. O(*n*).
  @inlinable
  public func contains(where predicate: (Element) -> Bool) -> Bool {
    (0..<used).contains { predicate(self[$0]) }
  }

  /// Adds an element at the end.
  @inlinable
  public func append(_ element: Element) {
    if used == capacity { grow() }
    place(used).initialize(to: element)
    used += 1
  }

  /// Adds an element at the beginning.
  @inlinable
  public func prepend(_ element: Element) {
    if used == capacity { grow() }
    head = (head &- 1) & (capacity &- 1)
    place(0).initialize(to: element)
    used += 1
  }

  /// Takes the first element out; nil if there is none.
  @inlinable
  public func popFirst() -> Element? {
    if isEmpty { return nil }
    let element = place(0).move()
    head = (head &+ 1) & (capacity &- 1)
    used -= 1
    return element
  }

  /// Takes the last element out; nil if there is none.
  @inlinable
  public func popLast() -> Element? {
    if isEmpty { return nil }
    used -= 1
    return place(used).move()
  }

  /// Drops all elements, and the memory.
  @inlinable
  public func removeAll() {
    for index in 0..<used { place(index).deinitialize(count: 1) }
    slots?.deallocate()
    (slots, capacity, head, used) = (nil, 0, 0, 0)
  }

  @inlinable
  func grow() {
    let grown = UnsafeMutablePointer<Element>.allocate(capacity: max(2, 2 * capacity))
    for index in 0..<used { (grown + index).moveInitialize(from: place(index), count: 1) }
    slots?.deallocate()
    (slots, capacity, head) = (grown, max(2, 2 * capacity), 0)
  }
}

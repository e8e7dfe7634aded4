/// First in, first out, in a circle of slots. Amortised O(1) at both ends.
///
/// The memory is its own, so that an element can be looked at and changed where it lies. To take one out of an array
/// and put it back counts its references up and down, which takes longer than a small task.
package final class Queue<Element> {
  @exclusivity(unchecked) private var slots: UnsafeMutablePointer<Element>?
  /// A power of two, or 0.
  @exclusivity(unchecked) private var capacity = 0
  @exclusivity(unchecked) private var head = 0
  @exclusivity(unchecked) package private(set) var count = 0

  package init() {}

  deinit { removeAll() }

  package var isEmpty: Bool { count == 0 }
  package var first: Element? { isEmpty ? nil : self[0] }
  package var last: Element? { isEmpty ? nil : self[count - 1] }

  package subscript(index: Int) -> Element {
    @inline(__always) _read {
      precondition(index < count)
      yield place(index).pointee
    }
    @inline(__always) _modify {
      precondition(index < count)
      yield &place(index).pointee
    }
  }

  @inline(__always)
  private func place(_ index: Int) -> UnsafeMutablePointer<Element> {
    slots.unsafelyUnwrapped + ((head &+ index) & (capacity &- 1))
  }

  package func contains(where predicate: (Element) -> Bool) -> Bool {
    (0..<count).contains { predicate(self[$0]) }
  }

  package func append(_ element: Element) {
    if count == capacity { grow() }
    place(count).initialize(to: element)
    count += 1
  }

  package func prepend(_ element: Element) {
    if count == capacity { grow() }
    head = (head &- 1) & (capacity &- 1)
    place(0).initialize(to: element)
    count += 1
  }

  package func popFirst() -> Element? {
    if isEmpty { return nil }
    let element = place(0).move()
    head = (head &+ 1) & (capacity &- 1)
    count -= 1
    return element
  }

  package func popLast() -> Element? {
    if isEmpty { return nil }
    count -= 1
    return place(count).move()
  }

  package func removeAll() {
    for index in 0..<count { place(index).deinitialize(count: 1) }
    slots?.deallocate()
    (slots, capacity, head, count) = (nil, 0, 0, 0)
  }

  private func grow() {
    let grown = UnsafeMutablePointer<Element>.allocate(capacity: max(2, 2 * capacity))
    for index in 0..<count { (grown + index).moveInitialize(from: place(index), count: 1) }
    slots?.deallocate()
    (slots, capacity, head) = (grown, max(2, 2 * capacity), 0)
  }
}

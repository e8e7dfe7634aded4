/// First in, first out, in a circle of slots. Amortised O(1) at both ends.
package struct Queue<Element> {
  /// A power of two of them, or none.
  private var slots: [Element?] = []
  private var head = 0
  package private(set) var count = 0

  package init() {}

  package var isEmpty: Bool { count == 0 }
  package var first: Element? {
    get { isEmpty ? nil : slots[head] }
    set { slots[head] = newValue }
  }
  package var last: Element? {
    get { isEmpty ? nil : slots[slot(count - 1)] }
    set { slots[slot(count - 1)] = newValue }
  }

  package subscript(index: Int) -> Element { slots[slot(index)]! }

  private func slot(_ index: Int) -> Int { (head &+ index) & (slots.count &- 1) }

  package func contains(where predicate: (Element) -> Bool) -> Bool {
    (0..<count).contains { predicate(self[$0]) }
  }

  package mutating func append(_ element: Element) {
    if count == slots.count { grow() }
    slots[slot(count)] = element
    count += 1
  }

  package mutating func prepend(_ element: Element) {
    if count == slots.count { grow() }
    head = slot(slots.count - 1)
    slots[head] = element
    count += 1
  }

  package mutating func popFirst() -> Element? {
    if isEmpty { return nil }
    let element = slots[head]
    slots[head] = nil
    head = slot(1)
    count -= 1
    return element
  }

  package mutating func popLast() -> Element? {
    if isEmpty { return nil }
    let last = slot(count - 1)
    let element = slots[last]
    slots[last] = nil
    count -= 1
    return element
  }

  package mutating func removeAll() { self = Queue() }

  private mutating func grow() {
    var grown: [Element?] = []
    grown.reserveCapacity(max(2, 2 * count))
    for index in 0..<count { grown.append(slots[slot(index)]) }
    while grown.count < max(2, 2 * count) { grown.append(nil) }
    (slots, head) = (grown, 0)
  }
}

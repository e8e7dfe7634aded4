/// First in, first out. Amortised O(1) at both ends.
struct Queue<Element> {
  private var items: [Element?] = []
  private var head = 0

  var count: Int { items.count - head }
  var isEmpty: Bool { count == 0 }
  var first: Element? {
    get { isEmpty ? nil : items[head] }
    set { items[head] = newValue }
  }
  var last: Element? {
    get { isEmpty ? nil : items[items.count - 1] }
    set { items[items.count - 1] = newValue }
  }

  subscript(index: Int) -> Element { items[head + index]! }

  func contains(where predicate: (Element) -> Bool) -> Bool {
    (0..<count).contains { predicate(self[$0]) }
  }

  mutating func append(_ element: Element) { items.append(element) }

  mutating func prepend(_ element: Element) {
    if head > 0 {
      head -= 1
      items[head] = element
    } else {
      items.insert(element, at: 0)
    }
  }

  mutating func popFirst() -> Element? {
    guard !isEmpty else { return nil }
    let element = items[head]
    items[head] = nil
    head += 1
    if head == items.count {
      items.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 64, head * 2 >= items.count {
      items.removeFirst(head)
      head = 0
    }
    return element
  }

  mutating func popLast() -> Element? {
    guard !isEmpty, let element = items.removeLast() else { return nil }
    if head == items.count {
      items.removeAll(keepingCapacity: true)
      head = 0
    }
    return element
  }

  mutating func removeAll() { self = Queue() }
}

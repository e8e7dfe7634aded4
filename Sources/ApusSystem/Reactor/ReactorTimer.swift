/// Something that a reactor is to call at a time.
package final class ReactorTimer {
  let time: UInt64
  private var body: (() -> Void)?

  init(_ time: UInt64, _ body: @escaping () -> Void) { (self.time, self.body) = (time, body) }

  /// It is not called any more.
  package func cancel() { body = nil }

  var isCancelled: Bool { body == nil }

  func fire() {
    let body = body
    self.body = nil
    body?()
  }
}

/// Timers, the earliest first: a binary heap.
struct TimerQueue {
  private var heap: [ReactorTimer] = []
  /// With so many, those that were cancelled are taken out.
  private var compactAt = 64

  /// When the next one is due.
  var next: UInt64? {
    mutating get {
      while let first = heap.first, first.isCancelled { removeFirst() }
      return heap.first?.time
    }
  }

  mutating func add(_ timer: ReactorTimer) {
    if heap.count >= compactAt {
      heap.removeAll(where: \.isCancelled)
      heap.sort { $0.time < $1.time }
      compactAt = max(64, 2 * heap.count)
    }
    heap.append(timer)
    var place = heap.count - 1
    while place > 0, heap[place].time < heap[(place - 1) / 2].time {
      heap.swapAt(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  /// The next one that is due by then, if there is one.
  mutating func takeDue(_ now: UInt64) -> ReactorTimer? {
    guard let time = next, time <= now else { return nil }
    let first = heap[0]
    removeFirst()
    return first
  }

  private mutating func removeFirst() {
    let last = heap.removeLast()
    guard !heap.isEmpty else { return }
    heap[0] = last
    var place = 0
    while true {
      var least = place
      for child in [2 * place + 1, 2 * place + 2]
      where child < heap.count && heap[child].time < heap[least].time {
        least = child
      }
      if least == place { return }
      heap.swapAt(place, least)
      place = least
    }
  }
}

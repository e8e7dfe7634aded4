import Glibc

/// Which keys a container has, by their numbers; emptied at once.
struct SeenKeys {
  private var seenIn: [Int] = []
  private var container = 0

  /// For the next container of a message with so many keys.
  mutating func begin(_ count: Int) {
    container += 1
    if seenIn.count < count { seenIn += repeatElement(0, count: count - seenIn.count) }
  }

  /// Whether the container had this key before.
  mutating func insert(_ key: Int) -> Bool {
    defer { seenIn[key] = container }
    return seenIn[key] == container
  }
}

/// A key that a container was given twice: by a class and its base, or one value after the other. The last one counts,
/// as with Foundation's coders. (A nested container that is asked for again is the same one: `nestedBefore`.)
extension EncoderSink {
  private struct Entry {
    let key: Int
    let range: Range<Int>
  }

  /// Drops all entries of the scope's container behind which there is one of the same key. O(its entries).
  ///
  /// Called at the end of a scope whose keys did not come in the order of their numbers. Most of them have no key twice.
  @inline(never)
  func dropRepeatedKeys() throws {
    session.state.pointee.seenKeys.begin(session.state.pointee.keyTable.count)
    var hasRepeated = false
    try forEachEntry { hasRepeated = session.state.pointee.seenKeys.insert($0.key) || hasRepeated }
    if !hasRepeated { return }
    var entries: [Entry] = []
    try forEachEntry { entries.append($0) }
    session.state.pointee.seenKeys.begin(session.state.pointee.keyTable.count)
    let kept = entries.reversed().filter { !session.state.pointee.seenKeys.insert($0.key) }.reversed()
    let base = state.pointee.store.base
    var end = entries[0].range.lowerBound
    for entry in kept {
      memmove(base + end, base + entry.range.lowerBound, entry.range.count)
      end += entry.range.count
    }
    truncate(to: end)
  }

  private func forEachEntry(_ body: (Entry) -> Void) throws {
    let base = UnsafeRawPointer(state.pointee.store.base)
    var position = state.pointee.scope.start + 5  // behind tag and length
    while position < count {
      let start = position
      guard let key = base.varint(at: &position, end: count), let end = base.skipValue(position, end: count)
      else { throw WireError(.misuse, type: Any.self, detail: "a keyed container has a key without a value") }
      body(Entry(key: key, range: start..<end))
      position = end
    }
  }
}

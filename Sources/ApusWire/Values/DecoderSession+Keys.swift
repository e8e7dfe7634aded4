/// Finding the entry of a key.
extension DecoderSession {
  /// The key number and the position of the value of the entry at `position`.
  @inline(__always)
  func entry(at position: Int, end: Int) -> (key: Int, value: Int)? {
    var position = position
    guard let key = varint(at: &position, end: end), key < state.pointee.keys.count else { return nil }
    return (key, position)
  }

  /// The position of the value of `key` in the container whose entries are `start..<end`, or nil.
  ///
  /// Keys are mostly asked for in the order in which they were written, so the entry behind the last one found
  /// comes first. A container whose keys are asked for in another order gets an index after a while: a lookup
  /// is O(1) in both cases.
  @inline(__always)
  func find(_ key: String, start: Int, end: Int, node: Int) throws -> Int? {
    guard isAlive, node < state.pointee.nodes.count else { throw stale() }
    if start == end { return nil }
    let last = state.pointee.nodes[node].entry
    var next = start
    if last >= start, last < end {
      guard let value = entry(at: last, end: end)?.value, let after = skip(value, end: end) else {
        throw malformed(at: last, node: node)
      }
      next = after
    }
    if next < end {
      guard let entry = entry(at: next, end: end) else { throw malformed(at: next, node: node) }
      if state.pointee.keys.matches(entry.key, key) {
        state.pointee.nodes[node].entry = next
        state.pointee.nodes[node].key = entry.key
        return entry.value
      }
    }
    return try search(key, start: start, end: end, node: node)
  }

  /// The number of the key that `find` found last in `node`'s container.
  func lastKey(of node: Int) -> Int {
    guard isAlive, node < state.pointee.nodes.count else { return WirePath.none }
    return state.pointee.nodes[node].key
  }

  @inline(never)
  private func search(_ key: String, start: Int, end: Int, node: Int) throws -> Int? {
    if let index = state.pointee.indexes[start] {
      guard let found = index[key] else { return nil }
      state.pointee.nodes[node].key = found.key
      return found.value
    }
    state.pointee.nodes[node].misses += 1
    if state.pointee.nodes[node].misses > 32 {
      var index: [String: (key: Int, value: Int)] = [:]
      let texts = keys
      try forEachEntry(start: start, end: end, node: node) { _, entry in
        index[texts[entry.key]] = entry
        return true
      }
      state.pointee.indexes[start] = index
      return try search(key, start: start, end: end, node: node)
    }
    var found: Int?
    try forEachEntry(start: start, end: end, node: node) { position, entry in
      guard state.pointee.keys.matches(entry.key, key) else { return true }
      state.pointee.nodes[node].entry = position
      state.pointee.nodes[node].key = entry.key
      found = entry.value
      return false
    }
    return found
  }

  /// Calls `body` with the position, key number and value position of each entry until it returns false.
  func forEachEntry(
    start: Int, end: Int, node: Int, _ body: (Int, (key: Int, value: Int)) -> Bool
  ) throws {
    guard isAlive else { throw stale() }
    var position = start
    while position < end {
      guard let entry = entry(at: position, end: end), let next = skip(entry.value, end: end) else {
        throw malformed(at: position, node: node)
      }
      if !body(position, entry) { return }
      position = next
    }
  }
}

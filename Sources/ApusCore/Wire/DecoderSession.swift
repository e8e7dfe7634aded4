/// What all decoders and containers of one message share: its bytes, its keys and the path to where we are.
///
/// The bytes are hostile. Positions are offsets into `base`, and every read gets an `end` that it may not pass;
/// a nested value's end is never behind its container's.
final class DecoderSession {
  /// A decoder's or container's place, and a keyed container's guess of where the next key is.
  struct Node {
    var parent: Int32
    var depth: Int32
    var element: Int
    var position: Int
    var end: Int
    /// The entry that was found last, or -1.
    var entry = -1
    /// The number of the key that was found last.
    var key = WirePath.none
    var misses = 0
  }

  let base: UnsafeRawPointer
  @exclusivity(unchecked) private(set) var keys: [String] = []
  /// False once the message's memory may be gone: a container that a type has kept then throws.
  // Exclusivity of the hot properties is not checked at run time: it costs as much as reading a field does. No
  // access to them spans a call that could reach them again.
  @exclusivity(unchecked) private(set) var isAlive = true
  /// What a function that cannot throw met; thrown by the next one that can.
  var pending: (any Error)?
  @exclusivity(unchecked) private var nodes: [Node] = []
  /// Per container (by its start) whose keys are looked up against their order: key to entry.
  @exclusivity(unchecked) private var indexes: [Int: [String: (key: Int, value: Int)]] = [:]

  init(base: UnsafeRawPointer, end: Int) {
    self.base = base
    nodes.reserveCapacity(16)
    nodes.append(Node(parent: -1, depth: 0, element: WirePath.none, position: 0, end: end))
  }

  /// Reads the table of keys; false if it is damaged.
  func readKeys(from start: Int, to end: Int) -> Bool {
    var position = start
    if start < end { keys.reserveCapacity(min(end - start, 16)) }
    while position < end {
      guard let length = varint(at: &position, end: end), length <= end - position,
        let key = String(utf8: UnsafeRawBufferPointer(start: base + position, count: length))
      else { return false }
      keys.append(key)
      position += length
    }
    return true
  }

  func invalidate() { isAlive = false }

  // MARK: Nodes

  /// A new node below `node`. Throws `WireError` (`tooDeep`).
  func push(node: Int, element: Int, position: Int, end: Int) throws -> Int {
    let depth = node < nodes.count ? nodes[node].depth + 1 : 0
    guard depth <= WireTag.depthLimit else {
      throw WireError(
        .tooDeep, type: Any.self, codingPath: Array(path(node).prefix(8)),
        detail: "nested deeper than \(WireTag.depthLimit) levels")
    }
    nodes.append(Node(parent: Int32(node), depth: depth, element: element, position: position, end: end))
    return nodes.count - 1
  }

  /// Drops `node` and all that were pushed after it.
  func pop(to node: Int) {
    if node < nodes.count { nodes.removeLast(nodes.count - node) }
  }

  /// Where the value of `node` begins and its container ends: an empty range for a node that is gone.
  func range(of node: Int) -> (position: Int, end: Int) {
    guard isAlive, node < nodes.count else { return (0, 0) }
    return (nodes[node].position, nodes[node].end)
  }

  func path(_ node: Int) -> [any CodingKey] {
    var path: [any CodingKey] = []
    var node = node
    while node > 0, node < nodes.count {
      if let key = WirePath.key(nodes[node].element, keys: keys) { path.append(key) }
      node = Int(nodes[node].parent)
    }
    return path.reversed()
  }

  // MARK: Keys

  /// The key number and the position of the value of the entry at `position`.
  @inline(__always)
  func entry(at position: Int, end: Int) -> (key: Int, value: Int)? {
    var position = position
    guard let key = varint(at: &position, end: end), key < keys.count else { return nil }
    return (key, position)
  }

  /// The position of the value of `key` in the container whose entries are `start..<end`, or nil.
  ///
  /// Keys are mostly asked for in the order in which they were written, so the entry behind the last one found
  /// comes first. A container whose keys are asked for in another order gets an index after a while: a lookup
  /// is O(1) in both cases.
  func find(_ key: String, start: Int, end: Int, node: Int) throws -> Int? {
    guard isAlive, node < nodes.count else { throw stale() }
    if start == end { return nil }
    let last = nodes[node].entry
    var next = start
    if last >= start, last < end {
      guard let value = entry(at: last, end: end)?.value, let after = skip(value, end: end) else {
        throw malformed(at: last, node: node)
      }
      next = after
    }
    if next < end {
      guard let entry = entry(at: next, end: end) else { throw malformed(at: next, node: node) }
      if matches(entry.key, key) {
        nodes[node].entry = next
        nodes[node].key = entry.key
        return entry.value
      }
    }
    return try search(key, start: start, end: end, node: node)
  }

  /// The number of the key that `find` found last in `node`'s container.
  func lastKey(of node: Int) -> Int {
    guard isAlive, node < nodes.count else { return WirePath.none }
    return nodes[node].key
  }

  @inline(never)
  private func search(_ key: String, start: Int, end: Int, node: Int) throws -> Int? {
    if let index = indexes[start] {
      guard let found = index[key] else { return nil }
      nodes[node].key = found.key
      return found.value
    }
    nodes[node].misses += 1
    if nodes[node].misses > 32 {
      var index: [String: (key: Int, value: Int)] = [:]
      try forEachEntry(start: start, end: end, node: node) { _, entry in
        index[keys[entry.key]] = entry
        return true
      }
      indexes[start] = index
      return try search(key, start: start, end: end, node: node)
    }
    var found: Int?
    try forEachEntry(start: start, end: end, node: node) { position, entry in
      guard matches(entry.key, key) else { return true }
      nodes[node].entry = position
      nodes[node].key = entry.key
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

  @inline(__always)
  private func matches(_ number: Int, _ key: String) -> Bool {
    // The length first: comparing two different strings costs more than comparing two equal ones.
    keys[number].utf8.count == key.utf8.count && keys[number] == key
  }

  // MARK: Errors

  func malformed(at position: Int, node: Int) -> any Error {
    WireError(
      .malformed, type: Any.self, codingPath: path(node), detail: "no valid value at byte \(position)")
  }

  func stale() -> any Error {
    WireError(.misuse, type: Any.self, detail: "a container was read outside the init(from:) that made it")
  }

  /// Why no `type` can be read at `position`.
  func failure(
    _ type: Any.Type, at position: Int, end: Int, node: Int, key: (any CodingKey)?
  ) -> any Error {
    guard isAlive else { return stale() }
    let path = path(node) + (key.map { [$0] } ?? [])
    guard skip(position, end: end) != nil else {
      return WireError(
        .truncated, type: type, codingPath: path, detail: "no complete value at byte \(position)")
    }
    let found = describe(position, end: end)
    let isNumber = type is any BinaryInteger.Type || type is any BinaryFloatingPoint.Type
    if found == "nil" {
      return DecodingError.valueNotFound(
        type, .init(codingPath: path, debugDescription: "found nil instead of \(type)"))
    }
    if isNumber, found == "an integer" || found == "a floating-point number" {
      return DecodingError.dataCorrupted(
        .init(codingPath: path, debugDescription: "the number is no value of \(type)"))
    }
    if type is String.Type, found == "a string" {
      return DecodingError.dataCorrupted(.init(codingPath: path, debugDescription: "the text is no UTF-8"))
    }
    return DecodingError.typeMismatch(
      type, .init(codingPath: path, debugDescription: "found \(found) instead of \(type)"))
  }

  private func describe(_ position: Int, end: Int) -> String {
    let byte = base.load(fromByteOffset: position, as: UInt8.self)
    if byte >= WireTag.smallInteger { return "an integer" }
    if byte >= WireTag.shortString { return "a string" }
    switch WireTag(rawValue: byte) {
    case .null: return "nil"
    case .false, .true: return "a Bool"
    case .float, .double: return "a floating-point number"
    case .string: return "a string"
    case .raw: return "the memory of a RawCodable value"
    case .rawArray: return "an array of RawCodable values"
    case .keyed, .longKeyed: return "a keyed container"
    case .unkeyed, .longUnkeyed: return "an unkeyed container"
    case .empty: return "an empty value"
    case .present: return "an optional"
    case .wide, .wideNegative, nil: return "an integer"
    }
  }
}

/// What all decoders and containers of one message share: its bytes, its keys and the path to where we are.
///
/// The bytes are hostile. Positions are offsets into `base`, and every read gets an `end` that it may not pass;
/// a nested value's end is never behind its container's.
///
/// The state is never freed, and used again for the next messages: nothing counts references to it, which would take
/// longer than the reading does. Whatever has outlived its message has another number than the state has.
struct DecoderSession {
  /// A decoder's or container's place, and a keyed container's guess of where the next key is.
  struct Node: BitwiseCopyable {
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

  struct State {
    /// The number of the message, 0 for none.
    var message = 0
    var messages = 0
    var base: UnsafeRawPointer
    var keys = MessageKeys()
    /// What a function that cannot throw met; thrown by the next one that can.
    var pending: (any Error)?
    var nodes = Stack<Node>()
    /// For containers whose keys are asked for in another order than they were written: the entries by their
    /// keys. By the container's start.
    var indexes: [Int: [String: (key: Int, value: Int)]] = [:]
    let containers = LentContainers<ReaderPlace>()
    /// Where a value of one word is read back as another type.
    var room: UInt = 0
    /// For messages that have to be fetched first.
    var store = ByteStore(capacity: 256)
  }

  let state: UnsafeMutablePointer<State>
  private let message: Int

  @inline(__always)
  init(state: UnsafeMutablePointer<State>, base: UnsafeRawPointer, end: Int) {
    self.state = state
    state.pointee.messages += 1
    message = state.pointee.messages
    state.pointee.message = message
    state.pointee.base = base
    state.pointee.nodes.push(
      Node(parent: -1, depth: 0, element: WirePath.none, position: 0, end: end))
  }

  static func makeState() -> UnsafeMutablePointer<State> {
    let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
    state.initialize(to: State(base: UnsafeRawPointer(state)))
    return state
  }

  /// Ends the message: the memory of its bytes may be gone then.
  @inline(__always)
  func invalidate() {
    state.pointee.message = 0
    state.pointee.nodes.truncate(to: 0)
    state.pointee.nodes.shrink()
    state.pointee.keys.trim()
    if state.pointee.pending != nil { state.pointee.pending = nil }
    if !state.pointee.indexes.isEmpty { state.pointee.indexes = [:] }
  }

  @inline(__always)
  var base: UnsafeRawPointer { state.pointee.base }

  /// False once the message is over: a container that a type has kept then throws.
  @inline(__always)
  var isAlive: Bool { state.pointee.message == message }

  var keys: [String] { state.pointee.keys.texts }

  func setPending(_ error: any Error) {
    if isAlive, state.pointee.pending == nil { state.pointee.pending = error }
  }

  // MARK: Nodes

  /// A new node below `node`. Throws `WireError` (`tooDeep`).
  @inline(__always)
  func push(node: Int, element: Int, position: Int, end: Int) throws -> Int {
    guard isAlive else { throw stale() }
    let count = state.pointee.nodes.count
    let depth = node < count ? state.pointee.nodes[node].depth + 1 : 0
    guard depth <= WireTag.depthLimit else { throw tooDeep(node) }
    state.pointee.nodes.push(
      Node(
        parent: Int32(truncatingIfNeeded: node), depth: depth, element: element, position: position, end: end)
    )
    return count
  }

  @inline(never)
  private func tooDeep(_ node: Int) -> any Error {
    WireError(
      .tooDeep, type: Any.self, codingPath: Array(path(node).prefix(8)),
      detail: "nested deeper than \(WireTag.depthLimit) levels")
  }

  /// Drops `node` and all that were pushed after it.
  @inline(__always)
  func pop(to node: Int) {
    if isAlive { state.pointee.nodes.truncate(to: node) }
  }

  /// Where the value of `node` begins and its container ends: an empty range for a node that is gone.
  @inline(__always)
  func range(of node: Int) -> (position: Int, end: Int) {
    guard isAlive, node < state.pointee.nodes.count else { return (0, 0) }
    return (state.pointee.nodes[node].position, state.pointee.nodes[node].end)
  }

  func path(_ node: Int) -> [any CodingKey] {
    var path: [any CodingKey] = []
    guard isAlive else { return path }
    var node = node
    while node > 0, node < state.pointee.nodes.count {
      let link = state.pointee.nodes[node]
      if let key = WirePath.key(link.element, keys: keys) { path.append(key) }
      node = Int(link.parent)
    }
    return path.reversed()
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

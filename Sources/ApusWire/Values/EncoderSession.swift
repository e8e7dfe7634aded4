/// What all sinks of one message share.
///
/// Sessions and sinks are never freed, and used again for the next messages: nothing counts references to them, which
/// would take longer than the writing does. A container that has outlived its message finds another serial.
struct EncoderSession {
  struct Node: BitwiseCopyable {
    var parent: Int32
    var depth: Int32
    var element: Int
  }

  struct State {
    var keyTable = KeyTable()
    /// An error that a function which cannot throw met; thrown by the next one that can.
    var pending: (any Error)?
    var nodes = Stack<Node>()
    var serial = 0
    /// Where the message itself goes.
    var root: EncoderSink
    /// Those of nested containers: all there are, and which are free.
    var sinks: [EncoderSink] = []
    var freeSinks: [EncoderSink] = []
    let containers = LentContainers<WireEncoder>()
    var seenKeys = SeenKeys()
  }

  let state: UnsafeMutablePointer<State>

  init() {
    state = .allocate(capacity: 1)
    state.initialize(
      to: State(root: EncoderSink(session: EncoderSession(state: state), ByteStore(capacity: 256))))
    state.pointee.nodes.push(Node(parent: -1, depth: 0, element: WirePath.none))
  }

  init(state: UnsafeMutablePointer<State>) { self.state = state }

  var root: EncoderSink { state.pointee.root }

  /// A number that no scope of this session has had.
  @inline(__always)
  func nextSerial() -> Int {
    state.pointee.serial += 1
    return state.pointee.serial
  }

  /// A new node below `node`. Throws `WireError` (`tooDeep`).
  @inline(__always)
  func push(node: Int, element: Int) throws -> Int {
    let count = state.pointee.nodes.count
    let depth = node < count ? state.pointee.nodes[node].depth + 1 : 0
    guard depth <= WireTag.depthLimit else { throw tooDeep(node) }
    state.pointee.nodes.push(Node(parent: Int32(truncatingIfNeeded: node), depth: depth, element: element))
    return count
  }

  @inline(never)
  private func tooDeep(_ node: Int) -> any Error {
    WireError(
      .tooDeep, type: Any.self, codingPath: Array(path(node).prefix(8)),
      detail: "nested deeper than \(WireTag.depthLimit) levels, or a reference cycle;"
        + " encode a flat collection of records that refer to each other by index")
  }

  /// Drops `node` and all that were pushed after it.
  @inline(__always)
  func pop(to node: Int) { state.pointee.nodes.truncate(to: node) }

  func path(_ node: Int) -> [any CodingKey] {
    var path: [any CodingKey] = []
    var node = node
    while node > 0, node < state.pointee.nodes.count {
      let link = state.pointee.nodes[node]
      if let key = WirePath.key(link.element, keys: state.pointee.keyTable.keys) { path.append(key) }
      node = Int(link.parent)
    }
    return path.reversed()
  }

  func takeSink() -> EncoderSink {
    if let sink = state.pointee.freeSinks.popLast() { return sink }
    let sink = EncoderSink(session: self, ByteStore(capacity: 64))
    state.pointee.sinks.append(sink)
    return sink
  }

  func giveBack(_ sink: EncoderSink) {
    sink.reset()
    state.pointee.freeSinks.append(sink)
  }

  /// Ends a message: the session is ready for the next.
  @inline(__always)
  func reset() {
    if state.pointee.keyTable.count > 1024 { state.pointee.seenKeys = SeenKeys() }
    state.pointee.keyTable.reset()
    pop(to: 1)
    state.pointee.nodes.shrink()
    if state.pointee.pending != nil { state.pointee.pending = nil }
    // After an error some were not given back.
    if state.pointee.freeSinks.count != state.pointee.sinks.count { reclaimSinks() }
  }

  @inline(never)
  private func reclaimSinks() {
    for sink in state.pointee.sinks { sink.reset() }
    state.pointee.freeSinks = state.pointee.sinks
  }
}

/// What all sinks of one message share.
final class EncoderSession {
  struct Node {
    var parent: Int32
    var depth: Int32
    var element: Int
  }

  // Exclusivity of the hot properties is not checked at run time: it costs as much as writing a field does. No
  // access to them spans a call that could reach them again.
  @exclusivity(unchecked) var keyTable = KeyTable()
  /// An error that a function which cannot throw met; thrown by the next one that can.
  var pending: (any Error)?
  @exclusivity(unchecked) private var nodes = [Node(parent: -1, depth: 0, element: WirePath.none)]
  @exclusivity(unchecked) private var serial = 0
  private var freeSinks: [EncoderSink] = []

  /// A number that no scope of this session has had.
  func nextSerial() -> Int {
    serial += 1
    return serial
  }

  /// A new node below `node`. Throws `WireError` (`tooDeep`).
  func push(node: Int, element: Int) throws -> Int {
    let depth = node < nodes.count ? nodes[node].depth + 1 : 0
    guard depth <= WireTag.depthLimit else {
      throw WireError(
        .tooDeep, type: Any.self, codingPath: Array(path(node).prefix(8)),
        detail: "nested deeper than \(WireTag.depthLimit) levels, or a reference cycle;"
          + " encode a flat collection of records that refer to each other by index")
    }
    nodes.append(Node(parent: Int32(node), depth: depth, element: element))
    return nodes.count - 1
  }

  /// Drops `node` and all that were pushed after it.
  func pop(to node: Int) {
    if node < nodes.count { nodes.removeLast(nodes.count - node) }
  }

  func path(_ node: Int) -> [any CodingKey] {
    var path: [any CodingKey] = []
    var node = node
    while node > 0, node < nodes.count {
      if let key = WirePath.key(nodes[node].element, keys: keyTable.keys) { path.append(key) }
      node = Int(nodes[node].parent)
    }
    return path.reversed()
  }

  func takeSink() -> EncoderSink {
    freeSinks.popLast() ?? EncoderSink(session: self, buffer: ByteBuffer(capacity: 64))
  }

  func giveBack(_ sink: EncoderSink) {
    sink.buffer.removeAll(keepingCapacity: sink.buffer.count <= 4096)
    freeSinks.append(sink)
  }

  func reset() {
    keyTable.reset()
    pending = nil
    pop(to: 1)
    // They hold on to the session: keeping them would be a cycle.
    freeSinks.removeAll()
  }
}

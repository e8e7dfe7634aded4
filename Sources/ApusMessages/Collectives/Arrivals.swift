import ApusWire

/// Room for messages, one behind the other, whose lengths show when they come: at once in the memory where they are to
/// be, as far as that much was expected, and then in a buffer.
struct Arrivals {
  private let expected: UnsafeMutableRawBufferPointer
  private var filled = 0
  private var rest: ByteBuffer?

  init(_ expected: UnsafeMutableRawBufferPointer) { self.expected = expected }

  mutating func room(for count: Int) -> UnsafeMutableRawPointer {
    if rest == nil, count <= expected.count - filled {
      defer { filled += count }
      return expected.baseAddress! + filled
    }
    let rest = rest ?? ByteBuffer(capacity: count)
    self.rest = rest
    return rest.uninitialized(count: count)
  }

  /// What has come in the memory that was given.
  var inPlace: UnsafeRawBufferPointer { expected.part(0..<filled).readable }
  /// What has come behind that.
  var behind: UnsafeRawBufferPointer? { rest?.bytes }
}

extension Communicator {
  /// The elements that `body` receives, about `count` of them: so many are copied but once.
  // For the usual ones apart: of others the runtime is asked for the array's types, which takes as long as a message.
  @_specialize(where T == Double)
  @_specialize(where T == Float)
  @_specialize(where T == Int)
  func elements<T: RawCodable>(
    expecting count: Int, _ body: (inout Arrivals) throws -> Void
  ) throws -> [T] {
    let stride = MemoryLayout<T>.stride
    var more: ByteBuffer?
    // One at least, so that there is an address.
    let result = try [T](unsafeUninitializedCapacity: max(count, 1)) { buffer, filled in
      var arrivals = Arrivals(UnsafeMutableRawBufferPointer(buffer))
      try body(&arrivals)
      if arrivals.behind == nil, arrivals.inPlace.count % stride == 0 {
        filled = arrivals.inPlace.count / stride
      } else {
        let all = ByteBuffer(capacity: arrivals.inPlace.count + (arrivals.behind?.count ?? 0))
        all.append(contentsOf: arrivals.inPlace)
        if let behind = arrivals.behind { all.append(contentsOf: behind) }
        more = all
      }
    }
    if let more { return try decode(more.bytes, ValueCodec<[T]>()) }
    return result
  }
}

extension CollectiveChannel {
  /// Sends a block to each rank, and receives from each what only its sender knows the length of, in rank order.
  func allToAll(
    dividing elements: UnsafeRawBufferPointer, _ layout: BlockLayout, into arrivals: inout Arrivals,
    tag: Int32
  ) throws {
    try whileSendingToAll({ elements.part(layout.range($0)) }, tag: tag) {
      for source in 0..<size {
        if source == rank {
          let mine = elements.part(layout.range(rank))
          if let base = mine.baseAddress {
            arrivals.room(for: mine.count).copyMemory(from: base, byteCount: mine.count)
          }
        } else {
          try receive(from: source, tag: tag) { arrivals.room(for: $0) }
        }
      }
    }
  }
}

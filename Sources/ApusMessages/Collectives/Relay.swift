extension PointToPoint {
  /// Passes pieces on along a chain of ranks: sends each one while the next one comes in.
  ///
  /// - Parameters:
  ///   - source: The rank before this one; nil at the start of the chain.
  ///   - destination: The rank behind this one; nil at its end.
  ///   - incoming: Where piece `i` is to go.
  ///   - arrived: Is called when piece `i` is there, and before it is sent.
  ///   - outgoing: What goes on as piece `i`. Asked for after `incoming(i + 1)`, which may move it.
  func relay(
    _ count: Int, from source: Int?, to destination: Int?, tag: Int32,
    incoming: (Int) -> UnsafeMutableRawBufferPointer, arrived: (Int) throws -> Void = { _ in },
    outgoing: (Int) -> UnsafeRawBufferPointer
  ) throws {
    for index in 0...count {
      // In one round piece `index` comes in and piece `index - 1` goes out.
      let into = index < count && source != nil ? incoming(index) : nil
      let out = index > 0 && destination != nil ? outgoing(index - 1) : nil
      switch (into, out) {
      case (let into?, let out?): try exchange(out, to: destination!, into: into, from: source!, tag: tag)
      case (let into?, nil): try receive(into: into, from: source!, tag: tag)
      case (nil, let out?): try send(out, to: destination!, tag: tag)
      case (nil, nil): break
      }
      if index < count { try arrived(index) }
    }
  }
}

import ApusWire

extension PointToPoint {
  /// Appends the root's value, which is all that its `buffer` holds, to the buffer of every other rank. Only
  /// the root knows the length.
  ///
  /// A short value comes down a binomial tree at once. Of a long one the length does, and then the value along
  /// a chain, in pieces: so a rank sets no more memory aside than has come to it, whatever length it was told.
  package func broadcast(valueIn buffer: ByteBuffer, from root: Int, tag: Int32) throws {
    try check(root: root)
    guard size > 1 else { return }
    let start = rank == root ? 0 : buffer.count
    do {
      let length = try broadcastHead(of: buffer, from: root, tag: tag)
      if length > CollectiveChoice.shortValue {
        try relayBody(of: buffer, start: start, length: length, from: root, tag: tag)
      }
    } catch {
      if rank != root { buffer.truncate(to: start) }
      throw error
    }
  }

  /// Sends the value, if it is short, and its length, which stands behind it: so it can be cut off in place.
  /// Returns the length.
  private func broadcastHead(of buffer: ByteBuffer, from root: Int, tag: Int32) throws -> Int {
    let tree = BinomialTree(root: root, rank: rank, size: size)
    let trailer = MemoryLayout<UInt64>.size
    let start = buffer.count

    guard let parent = tree.parent else {
      let head = start <= CollectiveChoice.shortValue ? buffer : ByteBuffer()
      head.append(UInt64(start).littleEndian)
      defer { head.truncate(to: head.count - trailer) }
      try tree.forEachChildDescending { try send(head.bytes, to: tree.ranks.absolute($0), tag: tag) }
      return start
    }

    try receive(appendingTo: buffer, from: parent, tag: tag)
    let head = buffer.bytes.part(start..<buffer.count)
    guard head.count >= trailer,
      let length = Int(
        exactly: UInt64(
          littleEndian: head.loadUnaligned(fromByteOffset: head.count - trailer, as: UInt64.self))),
      head.count - trailer == (length <= CollectiveChoice.shortValue ? length : 0)
    else {
      throw CollectiveError.malformed("\(head.count) bytes from rank \(parent) are no start of a broadcast.")
    }
    try tree.forEachChildDescending { try send(head, to: tree.ranks.absolute($0), tag: tag) }
    buffer.truncate(to: buffer.count - trailer)
    return length
  }

  private func relayBody(of buffer: ByteBuffer, start: Int, length: Int, from root: Int, tag: Int32) throws {
    let (source, destination) = chainNeighbours(from: root)
    let piece = CollectiveChoice.pieceLength
    let count = length / piece + (length % piece == 0 ? 0 : 1)
    func pieceLength(_ index: Int) -> Int { min(piece, length - index * piece) }
    try relay(
      count, from: source, to: destination, tag: tag,
      incoming: {
        UnsafeMutableRawBufferPointer(
          start: buffer.uninitialized(count: pieceLength($0)), count: pieceLength($0))
      },
      outgoing: {
        let offset = start + $0 * piece
        return buffer.bytes.part(offset..<offset + pieceLength($0))
      })
  }
}

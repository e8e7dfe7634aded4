import ApusWire

extension PointToPoint {
  /// Gives every rank the values of all ranks, of lengths that nobody but their ranks knows.
  ///
  /// Bruck's algorithm with pieces that carry their lengths: ⌈log₂ n⌉ rounds, and each value comes to each rank
  /// once. A rank sets no more memory aside than has come to it.
  package func allGather(valueIn piece: UnsafeRawBufferPointer, tag: Int32) throws -> Pieces {
    let (rank, size) = (rank, size)
    // This rank's own value first, then those of the ranks behind it, around.
    let bundle = ByteBuffer(capacity: piece.count + Frame.headLength)
    Frame.append(piece, to: bundle)
    var ends = [bundle.count]
    let incoming = ByteBuffer()
    var distance = 1
    while distance < size {
      let count = min(distance, size - distance)
      incoming.removeAll(keepingCapacity: true)
      // Not appended to the bundle at once: it might move while it is being sent.
      let source = (rank + distance) % size
      try exchange(
        bundle.bytes.part(0..<ends[count - 1]), to: (rank - distance + size) % size, appendingTo: incoming,
        from: source, tag: tag)
      guard let newEnds = Frame.ends(of: incoming.bytes, count: count) else {
        throw CollectiveError.malformed("\(incoming.count) bytes from rank \(source) are no \(count) values.")
      }
      ends += newEnds.map { $0 + bundle.count }
      bundle.append(contentsOf: incoming.bytes)
      distance *= 2
    }
    let ranges = (0..<size).map { other in
      let index = (other - rank + size) % size
      return (index == 0 ? 0 : ends[index - 1]) + Frame.headLength..<ends[index]
    }
    return Pieces(buffer: bundle, ranges: ranges)
  }
}

/// A value with its length before it.
private enum Frame {
  static let headLength = MemoryLayout<UInt64>.size

  static func append(_ value: UnsafeRawBufferPointer, to buffer: ByteBuffer) {
    buffer.append(UInt64(value.count).littleEndian)
    buffer.append(contentsOf: value)
  }

  /// Where each of `count` frames ends; nil if the bytes aren't just as many.
  static func ends(of bytes: UnsafeRawBufferPointer, count: Int) -> [Int]? {
    var ends: [Int] = []
    var position = 0
    for _ in 0..<count {
      guard bytes.count - position >= headLength else { return nil }
      let length = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      position += headLength
      guard length <= UInt64(bytes.count - position) else { return nil }
      position += Int(length)
      ends.append(position)
    }
    return position == bytes.count ? ends : nil
  }
}

import ApusWire

/// Runs of bytes of any length, one for each rank.
package struct Pieces {
  /// Holds the bytes of all pieces, and perhaps others between them.
  package let buffer: ByteBuffer
  /// Where the piece of each rank lies in `buffer`.
  package private(set) var ranges: [Range<Int>]

  /// No pieces yet.
  package init() { (buffer, ranges) = (ByteBuffer(), []) }

  init(buffer: ByteBuffer, ranges: [Range<Int>]) {
    assert(ranges.allSatisfy { $0.upperBound <= buffer.count })
    (self.buffer, self.ranges) = (buffer, ranges)
  }

  /// Adds a piece for the next rank: what `write` appends to the buffer.
  package mutating func append(_ write: (ByteBuffer) throws -> Void) rethrows {
    let start = buffer.count
    try write(buffer)
    ranges.append(start..<buffer.count)
  }

  /// The piece of a rank. Valid until the buffer next grows or dies.
  package subscript(rank: Int) -> UnsafeRawBufferPointer { buffer.bytes.part(ranges[rank]) }
}

import ApusWire

// Values of the ranks as bytes, and back.
extension Communicator {
  func encoded<T: Codable>(_ value: T) throws -> ByteBuffer {
    let buffer = ByteBuffer(capacity: 64)
    try encode(value, ValueCodec<T>(), into: buffer)
    return buffer
  }

  func decode<T>(_ bytes: UnsafeRawBufferPointer, _ codec: ValueCodec<T>) throws -> T {
    do { return try codec.decode(bytes) } catch {
      throw MessageError(
        .notDecodable, "what another rank gave could not be decoded: \(error)", underlying: error)
    }
  }

  /// A value of each rank, of so many bytes each.
  func values<T: Codable>(_ buffer: ByteBuffer, _ length: Int) throws -> [T] {
    let codec = ValueCodec<T>()
    return try (0..<size).map { try decode(buffer.bytes.part($0 * length..<($0 + 1) * length), codec) }
  }

  func values<T: Codable>(_ pieces: Pieces) throws -> [T] {
    let codec = ValueCodec<T>()
    return try pieces.ranges.indices.map { try decode(pieces[$0], codec) }
  }

  func elements<T: RawCodable>(_ pieces: Pieces) throws -> [T] {
    let all = ByteBuffer(capacity: pieces.ranges.reduce(0) { $0 + $1.count })
    for index in pieces.ranges.indices { all.append(contentsOf: pieces[index]) }
    return try decode(all.bytes, ValueCodec<[T]>())
  }

  /// The elements in pieces, one for each rank.
  func divided<T: RawCodable>(_ values: [T], _ counts: [Int]?) throws -> Pieces {
    var pieces = Pieces()
    var start = 0
    for count in try self.counts(counts, of: values.count) {
      pieces.append { buffer in
        values[start..<start + count].withUnsafeBytes { buffer.append(contentsOf: $0) }
      }
      start += count
    }
    return pieces
  }

  /// How many elements each rank has: as said, or equal shares.
  func counts(_ counts: [Int]?, of total: Int) throws -> [Int] {
    guard let counts else {
      return (0..<size).map { total / size + ($0 < total % size ? 1 : 0) }
    }
    let sum = counts.reduce(0) { $1 < 0 ? Int.min / 2 : $0 &+ $1 }
    guard counts.count == size, sum == total else {
      throw MessageError(
        .invalidArgument,
        "the counts \(counts) are not one for each of \(size) ranks that add up to \(total) elements")
    }
    return counts
  }
}

extension ByteBuffer {
  /// Adds so many bytes, to be written. Valid until the buffer next grows or dies.
  func room(for count: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: uninitialized(count: count), count: count)
  }
}

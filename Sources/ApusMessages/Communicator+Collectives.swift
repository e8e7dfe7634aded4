public import ApusCore

// Every rank of the communicator calls the same operation, in the same order. In debug builds they compare what they
// call, and throw if it differs.
extension Communicator {
  /// Returns once every rank has called it.
  @available(*, noasync, message: "await it instead")
  public func barrier() throws {
    try collective(.barrier, Int.self) { try $0.barrier(tag: $1) }
  }

  /// Gives the root's value to every rank.
  ///
  /// ```swift
  /// let settings = try world.broadcast(world.rank == 0 ? try readSettings() : nil)
  /// ```
  ///
  /// - Parameter value: Looked at on the root alone, which must have one.
  /// - Throws: `MessageError`: `invalidArgument`, `notEncodable`, `notDecodable`, and as `receive`.
  @available(*, noasync, message: "await it instead")
  public func broadcast<T: Codable>(_ value: T?, from root: Int = 0) throws -> T {
    try collective(.broadcast, T.self, root: root) { channel, tag in
      guard rank == root else {
        let buffer = ByteBuffer()
        try channel.broadcast(valueIn: buffer, from: root, tag: tag)
        return try decode(buffer.bytes, ValueCodec<T>())
      }
      guard let value else {
        throw MessageError(
          .invalidArgument, "rank \(rank) is the root of a broadcast and has no value", rank: rank)
      }
      try channel.broadcast(valueIn: encoded(value), from: root, tag: tag)
      return value
    }
  }

  /// Gives the root's elements to every rank, in place: as many on all ranks.
  @available(*, noasync, message: "await it instead")
  public func broadcast<T: RawCodable>(into buffer: UnsafeMutableBufferPointer<T>, from root: Int = 0) throws
  {
    try collective(.broadcast, [T].self, root: root, count: buffer.count) {
      try $0.broadcast(UnsafeMutableRawBufferPointer(buffer), from: root, tag: $1)
    }
  }

  /// Gives each rank one of the root's values, in rank order.
  ///
  /// - Parameter values: As many as there are ranks. Looked at on the root alone.
  @available(*, noasync, message: "await it instead")
  public func scatter<T: Codable>(_ values: [T]?, from root: Int = 0) throws -> T {
    try collective(.scatter, T.self, root: root) { channel, tag in
      var pieces = Pieces()
      if rank == root {
        guard let values, values.count == size else {
          throw MessageError(
            .invalidArgument,
            "the root of a scatter must have a value for each of \(size) ranks, not "
              + "\(values?.count ?? 0)", rank: rank)
        }
        for value in values { try pieces.append { try encode(value, ValueCodec<T>(), into: $0) } }
      }
      let mine = ByteBuffer()
      try channel.scatter(valuesIn: pieces, appendingTo: mine, from: root, tag: tag)
      return try decode(mine.bytes, ValueCodec<T>())
    }
  }

  /// Divides the root's elements among the ranks: `counts[rank]` for each, or equal shares, the first ranks having one
  /// more where it doesn't come out even.
  ///
  /// - Parameters:
  ///   - values: Looked at on the root alone.
  ///   - counts: Looked at on the root alone; they add up to the number of values.
  @available(*, noasync, message: "await it instead")
  public func scatter<T: RawCodable>(dividing values: [T]?, counts: [Int]? = nil, from root: Int = 0) throws
    -> [T]
  {
    try collective(.scatter, [T].self, root: root) { channel, tag in
      var pieces = Pieces()
      if rank == root {
        let values = values ?? []
        var start = 0
        for count in try self.counts(counts, of: values.count) {
          pieces.append { buffer in
            values[start..<start + count].withUnsafeBytes { buffer.append(contentsOf: $0) }
          }
          start += count
        }
      }
      let mine = ByteBuffer()
      try channel.scatter(valuesIn: pieces, appendingTo: mine, from: root, tag: tag)
      return try decode(mine.bytes, ValueCodec<[T]>())
    }
  }

  /// Collects the values of all ranks on the root, in rank order; nil on the others.
  @available(*, noasync, message: "await it instead")
  public func gather<T: Codable>(_ value: T, to root: Int = 0) throws -> [T]? {
    try collective(.gather, T.self, root: root) { channel, tag in
      let bytes = try encoded(value)
      guard let pieces = try channel.gather(valueIn: bytes.bytes, to: root, tag: tag) else {
        return nil
      }
      return try values(pieces)
    }
  }

  /// Collects the elements of all ranks, however many each has, one behind the other in rank order, on the root; nil
  /// on the others.
  @available(*, noasync, message: "await it instead")
  public func gather<T: RawCodable>(concatenating values: [T], to root: Int = 0) throws -> [T]? {
    try collective(.gather, [T].self, root: root) { channel, tag in
      let pieces = try values.withUnsafeBytes { try channel.gather(valueIn: $0, to: root, tag: tag) }
      return try pieces.map { try elements($0) }
    }
  }

  /// Gives every rank the values of all ranks, in rank order.
  @available(*, noasync, message: "await it instead")
  public func allGather<T: Codable>(_ value: T) throws -> [T] {
    try collective(.allGather, T.self) { channel, tag in
      let bytes = try encoded(value)
      return try values(channel.allGather(valueIn: bytes.bytes, tag: tag))
    }
  }

  /// Gives every rank the elements of all ranks, however many each has, one behind the other in rank order.
  @available(*, noasync, message: "await it instead")
  public func allGather<T: RawCodable>(concatenating values: [T]) throws -> [T] {
    try collective(.allGather, [T].self) { channel, tag in
      try elements(values.withUnsafeBytes { try channel.allGather(valueIn: $0, tag: tag) })
    }
  }

  /// Sends `values[r]` to rank r, and returns what each rank sent here, in rank order.
  @available(*, noasync, message: "await it instead")
  public func allToAll<T: Codable>(_ values: [T]) throws -> [T] {
    try collective(.allToAll, T.self) { channel, tag in
      guard values.count == size else {
        throw MessageError(
          .invalidArgument, "allToAll takes a value for each of \(size) ranks, not \(values.count)",
          rank: rank)
      }
      var pieces = Pieces()
      for value in values { try pieces.append { try encode(value, ValueCodec<T>(), into: $0) } }
      return try self.values(channel.allToAll(valuesIn: pieces, tag: tag))
    }
  }

  /// Divides the elements among the ranks, `counts[r]` for rank r, and returns those that all ranks sent here, one
  /// behind the other in rank order.
  @available(*, noasync, message: "await it instead")
  public func allToAll<T: RawCodable>(dividing values: [T], counts: [Int]? = nil) throws -> [T] {
    try collective(.allToAll, [T].self) { channel, tag in
      var pieces = Pieces()
      var start = 0
      for count in try self.counts(counts, of: values.count) {
        pieces.append { buffer in
          values[start..<start + count].withUnsafeBytes { buffer.append(contentsOf: $0) }
        }
        start += count
      }
      return try elements(channel.allToAll(valuesIn: pieces, tag: tag))
    }
  }

  private func values<T: Codable>(_ pieces: Pieces) throws -> [T] {
    let codec = ValueCodec<T>()
    return try pieces.ranges.indices.map { try decode(pieces[$0], codec) }
  }

  private func elements<T: RawCodable>(_ pieces: Pieces) throws -> [T] {
    let all = ByteBuffer(capacity: pieces.ranges.reduce(0) { $0 + $1.count })
    for index in pieces.ranges.indices { all.append(contentsOf: pieces[index]) }
    return try decode(all.bytes, ValueCodec<[T]>())
  }
}

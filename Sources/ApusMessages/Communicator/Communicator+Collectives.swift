import ApusWire

// Every rank of the communicator calls the same operation, in the same order. In debug builds they compare what they
// call, and throw if it differs. Values of the plain types go as memory of a length that all know, and all else with
// its length.
extension Communicator {
  /// Returns once every rank has called it.
  @available(*, noasync, message: "await it instead")
  public func barrier() throws {
    try collective(.barrier, Int.self) { ranks, tag in
      try ranks.barrier(tag: tag)
      ranks.messages.allHaveCome()
    }
  }

  /// Gives the root's value to every rank.
  ///
  /// ```swift
  /// let settings = try world.broadcast(world.rank == 0 ? try readSettings() : nil)
  /// ```
  ///
  /// - Parameters:
  ///   - value: Looked at on the root alone, which must have one.
  ///   - root: The rank whose value it is.
  /// - Throws: `MessageError`: `invalidArgument`, `notEncodable`, `notDecodable`, `concurrentUse`, and as `receive`.
  @available(*, noasync, message: "await it instead")
  public func broadcast<T: Codable>(_ value: T?, from root: Int = 0) throws -> T {
    try collective(.broadcast, T.self, root: root) { ranks, tag in
      let isRoot = rank == root
      if isRoot, value == nil {
        throw MessageError(
          .invalidArgument, "rank \(rank) is the root of a broadcast and has no value", rank: rank)
      }
      let buffer = isRoot ? try encoded(value!) : ByteBuffer()
      if let size = WireType(T.self).rawSize {
        let bytes = isRoot ? buffer.baseAddress : buffer.uninitialized(count: size)
        try ranks.messages.broadcast(
          UnsafeMutableRawBufferPointer(start: bytes, count: size), from: root, tag: tag)
      } else {
        try ranks.messages.broadcast(valueIn: buffer, from: root, tag: tag)
      }
      return isRoot ? value! : try decode(buffer.bytes, ValueCodec<T>())
    }
  }

  /// Gives the root's elements to every rank, in place: as many on all ranks.
  @available(*, noasync, message: "await it instead")
  public func broadcast<T: RawCodable>(into buffer: UnsafeMutableBufferPointer<T>, from root: Int = 0) throws
  {
    try collective(.broadcast, [T].self, root: root, count: buffer.count) { ranks, tag in
      try ranks.messages.broadcast(UnsafeMutableRawBufferPointer(buffer), from: root, tag: tag)
    }
  }

  /// Gives each rank one of the root's values, in rank order.
  ///
  /// - Parameters:
  ///   - values: As many as there are ranks. Looked at on the root alone.
  ///   - root: The rank whose values they are.
  @available(*, noasync, message: "await it instead")
  public func scatter<T: Codable>(_ values: [T]?, from root: Int = 0) throws -> T {
    try collective(.scatter, T.self, root: root) { ranks, tag in
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
      if let length = WireType(T.self).rawSize {
        let piece = mine.room(for: length)
        try ranks.messages.scatter(pieces.buffer.bytes, into: piece, from: root, tag: tag)
      } else {
        try ranks.messages.scatter(valuesIn: pieces, appendingTo: mine, from: root, tag: tag)
      }
      return try decode(mine.bytes, ValueCodec<T>())
    }
  }

  /// Divides the root's elements among the ranks: `counts[rank]` for each, or equal shares, the first ranks having one
  /// more where it doesn't come out even.
  ///
  /// - Parameters:
  ///   - values: Looked at on the root alone.
  ///   - counts: Looked at on the root alone; they add up to the number of values.
  ///   - root: The rank whose values they are.
  @available(*, noasync, message: "await it instead")
  public func scatter<T: RawCodable>(dividing values: [T]?, counts: [Int]? = nil, from root: Int = 0) throws
    -> [T]
  {
    try collective(.scatter, [T].self, root: root) { ranks, tag in
      let pieces = rank == root ? try divided(values ?? [], counts) : Pieces()
      let mine = ByteBuffer()
      try ranks.messages.scatter(valuesIn: pieces, appendingTo: mine, from: root, tag: tag)
      return try decode(mine.bytes, ValueCodec<[T]>())
    }
  }

  /// Collects the values of all ranks on the root, in rank order; nil on the others.
  @available(*, noasync, message: "await it instead")
  public func gather<T: Codable>(_ value: T, to root: Int = 0) throws -> [T]? {
    try collective(.gather, T.self, root: root) { ranks, tag in
      let mine = try encoded(value)
      guard let length = WireType(T.self).rawSize else {
        return try ranks.messages.gather(valueIn: mine.bytes, to: root, tag: tag).map { try values($0) }
      }
      let all = ByteBuffer()
      try ranks.messages.gather(
        mine.bytes, into: all.room(for: rank == root ? length * size : 0), to: root, tag: tag)
      return rank == root ? try values(all, length) : nil
    }
  }

  /// Collects the elements of all ranks, however many each has, one behind the other in rank order, on the root; nil
  /// on the others.
  @available(*, noasync, message: "await it instead")
  public func gather<T: RawCodable>(concatenating values: [T], to root: Int = 0) throws -> [T]? {
    try collective(.gather, [T].self, root: root) { ranks, tag in
      let pieces = try values.withUnsafeBytes {
        try ranks.messages.gather(valueIn: $0, to: root, tag: tag)
      }
      return try pieces.map { try elements($0) }
    }
  }

  /// Gives every rank the values of all ranks, in rank order.
  @available(*, noasync, message: "await it instead")
  public func allGather<T: Codable>(_ value: T) throws -> [T] {
    try collective(.allGather, T.self) { ranks, tag in
      let mine = try encoded(value)
      guard let length = WireType(T.self).rawSize else {
        return try values(ranks.messages.allGather(valueIn: mine.bytes, tag: tag))
      }
      let all = ByteBuffer()
      let room = all.room(for: length * size)
      room.part(rank * length..<(rank + 1) * length).fill(from: mine.bytes)
      try ranks.allGather(room, tag: tag)
      return try values(all, length)
    }
  }

  /// Gives every rank the elements of all ranks, however many each has, one behind the other in rank order.
  @available(*, noasync, message: "await it instead")
  public func allGather<T: RawCodable>(concatenating values: [T]) throws -> [T] {
    try collective(.allGather, [T].self) { ranks, tag in
      try elements(values.withUnsafeBytes { try ranks.messages.allGather(valueIn: $0, tag: tag) })
    }
  }

  /// Sends `values[r]` to rank r, and returns what each rank sent here, in rank order.
  @available(*, noasync, message: "await it instead")
  public func allToAll<T: Codable>(_ values: [T]) throws -> [T] {
    try collective(.allToAll, T.self) { ranks, tag in
      guard values.count == size else {
        throw MessageError(
          .invalidArgument, "allToAll takes a value for each of \(size) ranks, not \(values.count)",
          rank: rank)
      }
      var pieces = Pieces()
      for value in values { try pieces.append { try encode(value, ValueCodec<T>(), into: $0) } }
      guard let length = WireType(T.self).rawSize else {
        return try self.values(ranks.messages.allToAll(valuesIn: pieces, tag: tag))
      }
      let all = ByteBuffer()
      try ranks.messages.allToAll(pieces.buffer.bytes, into: all.room(for: length * size), tag: tag)
      return try self.values(all, length)
    }
  }

  /// Sends block r of `values` to rank r, and writes what rank s sent here to block s of `result`: blocks of one length,
  /// on all ranks. No memory is allocated for the elements.
  ///
  /// - Parameters:
  ///   - values: What goes to each rank, in rank order.
  ///   - result: As long as `values`, which can be divided by the number of ranks.
  @available(*, noasync, message: "await it instead")
  public func allToAll<T: RawCodable>(_ values: [T], into result: UnsafeMutableBufferPointer<T>) throws {
    try collective(.allToAll, [T].self, count: values.count) { ranks, tag in
      func invalid() -> MessageError {
        MessageError(
          .invalidArgument,
          "allToAll into memory takes as many elements in as out, and as many for each of \(size) ranks: "
            + "not \(values.count) and \(result.count)", rank: rank)
      }
      guard values.count % size == 0 else { throw invalid() }
      try values.withUnsafeBytes { outgoing in
        if values.count == result.count {
          return try ranks.allToAll(outgoing, into: UnsafeMutableRawBufferPointer(result), tag: tag)
        }
        // The others may be in the library's operation, and have a right to what is for them.
        let room = UnsafeMutableRawBufferPointer.allocate(
          byteCount: outgoing.count, alignment: scratchAlignment)
        defer { room.deallocate() }
        try ranks.allToAll(outgoing, into: room, tag: tag)
        throw invalid()
      }
    }
  }

  /// Divides the elements among the ranks, `counts[r]` for rank r, and returns those that all ranks sent here, one
  /// behind the other in rank order.
  @available(*, noasync, message: "await it instead")
  public func allToAll<T: RawCodable>(dividing values: [T], counts: [Int]? = nil) throws -> [T] {
    try collective(.allToAll, [T].self) { ranks, tag in
      let stride = MemoryLayout<T>.stride
      let layout =
        if let counts {
          try BlockLayout(
            lengths: self.counts(counts, of: values.count).map { $0 * stride }, count: size)
        } else {
          BlockLayout(splitting: values.count * stride, unit: stride, into: size)
        }
      // As much as goes out, most of the time.
      return try elements(expecting: values.count) { arrivals in
        try values.withUnsafeBytes {
          try ranks.messages.allToAll(dividing: $0, layout, into: &arrivals, tag: tag)
        }
      }
    }
  }
}

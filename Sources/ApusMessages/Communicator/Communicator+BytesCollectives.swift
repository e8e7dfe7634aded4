import ApusWire

// The collective operations on bytes; see `Communicator+Bytes.swift`. All of them throw as the others do.
extension Communicator {
  /// Gives the root's bytes, all that its `buffer` holds, to the empty buffer of every other rank.
  package func broadcast(bytesIn buffer: ByteBuffer, from root: Int) throws {
    try collective(.broadcast, [UInt8].self, root: root) { ranks, tag in
      try ranks.messages.broadcast(valueIn: buffer, from: root, tag: tag)
    }
  }

  /// Gives the root's memory to every rank, in place: as long on all of them.
  package func broadcast(memory: UnsafeMutableRawBufferPointer, from root: Int) throws {
    try collective(.broadcast, [UInt8].self, root: root, count: memory.count) { ranks, tag in
      try ranks.messages.broadcast(memory, from: root, tag: tag)
    }
  }

  /// Gives each rank its piece, of any length, of what the root has.
  ///
  /// - Parameter pieces: Looked at on the root alone.
  package func scatter(bytesIn pieces: Pieces, from root: Int) throws -> ByteBuffer {
    try collective(.scatter, [UInt8].self, root: root) { ranks, tag in
      let mine = ByteBuffer()
      try ranks.messages.scatter(valuesIn: pieces, appendingTo: mine, from: root, tag: tag)
      return mine
    }
  }

  /// Collects the bytes of all ranks, of any lengths, on the root; nil on the others.
  package func gather(bytes: UnsafeRawBufferPointer, to root: Int) throws -> Pieces? {
    try collective(.gather, [UInt8].self, root: root) { ranks, tag in
      try ranks.messages.gather(valueIn: bytes, to: root, tag: tag)
    }
  }

  /// Gives every rank the bytes of all ranks.
  package func allGather(bytes: UnsafeRawBufferPointer) throws -> Pieces {
    try collective(.allGather, [UInt8].self) { ranks, tag in
      try ranks.messages.allGather(valueIn: bytes, tag: tag)
    }
  }

  /// Gives every rank the pieces of all, as long on all of them.
  ///
  /// - Parameter pieces: Room for all pieces, with this rank's own in its place.
  package func allGather(memory pieces: UnsafeMutableRawBufferPointer) throws {
    try collective(.allGather, [UInt8].self, count: pieces.count) { ranks, tag in
      try ranks.allGather(pieces, tag: tag)
    }
  }

  /// Sends each rank its piece, and returns those that all sent here.
  package func allToAll(bytesIn pieces: Pieces) throws -> Pieces {
    try collective(.allToAll, [UInt8].self) { ranks, tag in
      try ranks.messages.allToAll(valuesIn: pieces, tag: tag)
    }
  }

  // MARK: Reductions, element by element, of memory that is as long on all ranks

  /// - Parameter result: As long as `elements`; other memory, or the same.
  package func allReduce(
    memory elements: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator
  ) throws {
    try collective(.allReduce, [UInt8].self, count: elements.count) { ranks, tag in
      try ranks.allReduce(elements, into: result, operation, tag: tag)
    }
  }

  /// - Parameter result: Looked at on the root alone.
  package func reduce(
    memory elements: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator, to root: Int
  ) throws {
    try collective(.reduce, [UInt8].self, root: root, count: elements.count) { ranks, tag in
      try ranks.messages.reduce(elements, into: result, operation, to: root, tag: tag)
    }
  }

  /// Gives each rank the elements of all up to it, or with `isExclusive` of all before it, in their place. Rank 0 then keeps
  /// its own.
  package func scan(
    memory elements: UnsafeMutableRawBufferPointer, _ operation: ElementOperator, isExclusive: Bool
  ) throws {
    try collective(isExclusive ? .exclusiveScan : .scan, [UInt8].self, count: elements.count) { ranks, tag in
      if isExclusive {
        try ranks.exclusiveScan(elements, operation, tag: tag)
      } else {
        try ranks.scan(elements, operation, tag: tag)
      }
    }
  }

  /// Gives each rank its block of what all combine.
  ///
  /// - Parameter lengths: The length of each rank's block, in bytes.
  package func reduceScatter(
    memory elements: UnsafeRawBufferPointer, lengths: [Int], into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator
  ) throws {
    try collective(.reduceScatter, [UInt8].self, count: elements.count) { ranks, tag in
      try ranks.messages.reduceScatter(elements, lengths: lengths, into: result, operation, tag: tag)
    }
  }
}

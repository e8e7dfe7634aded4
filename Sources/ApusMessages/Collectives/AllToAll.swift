import ApusWire

extension PointToPoint {
  /// Sends a piece to each rank and gets one from each, both in rank order. All pieces have one length.
  ///
  /// - Parameters:
  ///   - incoming: As long as `outgoing`, and other memory.
  ///   - algorithm: For tests; all ranks must name the same.
  package func allToAll(
    _ outgoing: UnsafeRawBufferPointer, into incoming: UnsafeMutableRawBufferPointer, tag: Int32,
    by algorithm: AllToAllAlgorithm? = nil
  ) throws {
    let layout = try BlockLayout(equal: outgoing.count, into: size)
    try check(length: incoming.count, expected: layout.total, "the pieces from all ranks")
    switch algorithm ?? CollectiveChoice.allToAll(pieceLength: layout.length(0), ranks: size) {
    case .bruck: try allToAllAfterBruck(outgoing, into: incoming, length: layout.length(0), tag: tag)
    case .pairwise: try allToAllPairwise(outgoing, layout, into: incoming, layout, tag: tag)
    case .direct: try allToAllDirectly(outgoing, layout, into: incoming, tag: tag)
    }
  }

  /// The same with pieces of different lengths, which the sender and the receiver of each piece know.
  ///
  /// - Parameters:
  ///   - outgoingLengths: The length of the piece for each rank in bytes.
  ///   - incomingLengths: The length of the piece from each rank in bytes.
  package func allToAll(
    _ outgoing: UnsafeRawBufferPointer, lengths outgoingLengths: [Int],
    into incoming: UnsafeMutableRawBufferPointer, lengths incomingLengths: [Int], tag: Int32
  ) throws {
    let source = try BlockLayout(lengths: outgoingLengths, count: size)
    let target = try BlockLayout(lengths: incomingLengths, count: size)
    try check(length: outgoing.count, expected: source.total, "the pieces for all ranks")
    try check(length: incoming.count, expected: target.total, "the pieces from all ranks")
    try check(length: target.length(rank), expected: source.length(rank), "the piece that stays")
    try allToAllPairwise(outgoing, source, into: incoming, target, tag: tag)
  }

  /// Sends a value to each rank and gets one from each, of lengths that only the senders know.
  package func allToAll(valuesIn pieces: Pieces, tag: Int32) throws -> Pieces {
    let (rank, size) = (rank, size)
    guard pieces.ranges.count == size else {
      throw CollectiveError.invalid("There are \(pieces.ranges.count) values for \(size) ranks.")
    }
    let buffer = ByteBuffer()
    var ranges = [Range<Int>](repeating: 0..<0, count: size)
    buffer.append(contentsOf: pieces[rank])
    ranges[rank] = 0..<buffer.count
    try forEachPair { destination, source in
      let start = buffer.count
      try exchange(pieces[destination], to: destination, appendingTo: buffer, from: source, tag: tag)
      ranges[source] = start..<buffer.count
    }
    return Pieces(buffer: buffer, ranges: ranges)
  }

  /// n - 1 rounds, in each of which every rank sends to one and receives from one: nobody is waited for by two.
  func forEachPair(_ body: (_ destination: Int, _ source: Int) throws -> Void) rethrows {
    let (rank, size) = (rank, size)
    for step in 1..<max(size, 1) { try body((rank + step) % size, (rank - step + size) % size) }
  }

  private func allToAllPairwise(
    _ outgoing: UnsafeRawBufferPointer, _ source: BlockLayout, into incoming: UnsafeMutableRawBufferPointer,
    _ target: BlockLayout, tag: Int32
  ) throws {
    incoming.part(target.range(rank)).fill(from: outgoing.part(source.range(rank)))
    try forEachPair { to, from in
      try exchange(
        outgoing.part(source.range(to)), to: to, into: incoming.part(target.range(from)), from: from, tag: tag
      )
    }
  }

  /// All send first. What has come is taken first, since whoever is waited for may need our processor.
  private func allToAllDirectly(
    _ outgoing: UnsafeRawBufferPointer, _ layout: BlockLayout, into incoming: UnsafeMutableRawBufferPointer,
    tag: Int32
  ) throws {
    let (rank, size) = (rank, size)
    try whileSendingToAll({ outgoing.part(layout.range($0)) }, tag: tag) {
      incoming.part(layout.range(rank)).fill(from: outgoing.part(layout.range(rank)))
      var pending = (1..<max(size, 1)).map { (rank + $0) % size }
      while !pending.isEmpty {
        let source = pending.remove(at: pending.firstIndex { isThere(from: $0, tag: tag) } ?? 0)
        try receive(into: incoming.part(layout.range(source)), from: source, tag: tag)
      }
    }
  }

  /// ⌈log₂ n⌉ rounds: a piece for the rank d further makes the steps of the powers of two that d consists of,
  /// and in each round all pieces that make the step go together. Bruck, Ho, Kipnis, Upfal and Weathersby
  /// (1997).
  private func allToAllAfterBruck(
    _ outgoing: UnsafeRawBufferPointer, into incoming: UnsafeMutableRawBufferPointer, length: Int, tag: Int32
  ) throws {
    let (rank, size) = (rank, size)
    // Piece d is the one that has d to go in all.
    func piece(_ distance: Int) -> Range<Int> { distance * length..<(distance + 1) * length }
    let travelling = (size + 1) / 2 * length
    let scratch = size * length + 2 * travelling
    try withUnsafeTemporaryAllocation(byteCount: scratch, alignment: 16) { scratch in
      let pieces = scratch.part(0..<size * length)
      let packed = scratch.part(size * length..<size * length + travelling)
      let arrived = scratch.part(size * length + travelling..<scratch.count)
      for distance in 0..<size {
        pieces.part(piece(distance)).fill(from: outgoing.part(piece((rank + distance) % size)))
      }
      var step = 1
      while step < size {
        var count = 0
        for distance in 0..<size where distance & step != 0 {
          packed.part(piece(count)).fill(from: pieces.part(piece(distance)).readable)
          count += 1
        }
        try exchange(
          packed.part(0..<count * length).readable, to: (rank + step) % size,
          into: arrived.part(0..<count * length), from: (rank - step + size) % size, tag: tag)
        count = 0
        for distance in 0..<size where distance & step != 0 {
          pieces.part(piece(distance)).fill(from: arrived.part(piece(count)).readable)
          count += 1
        }
        step *= 2
      }
      for distance in 0..<size {
        incoming.part(piece((rank - distance + size) % size)).fill(
          from: pieces.part(piece(distance)).readable)
      }
    }
  }
}

import ApusWire

// The reductions element by element, for arrays of values that are encoded; of one length on all ranks. Those of plain
// values are beside the others.
extension Communicator {
  /// Combines the arrays of all ranks element by element, in rank order, and gives the result to every rank.
  ///
  /// - Throws: `MessageError`, `invalidArgument` also where arrays differ in length, and what the operator throws.
  @available(*, noasync, message: "await it instead")
  public func allReduce<T: Codable>(_ values: [T], _ operation: ReduceOperator<T>) throws -> [T] {
    try collective(.allReduce, [T].self, operation: operation.standardNumber, count: values.count) {
      ranks, tag in
      let (bytes, result) = (try encoded(values), ByteBuffer())
      try ranks.messages.allReduce(
        valueIn: bytes.bytes, appendingTo: result, operation.arrayOperator, tag: tag)
      return try decode(result.bytes, ValueCodec<[T]>())
    }
  }

  /// Combines the arrays of all ranks element by element, in rank order, on the root; nil on the others. Throws as
  /// `allReduce`.
  @available(*, noasync, message: "await it instead")
  public func reduce<T: Codable>(
    _ values: [T], _ operation: ReduceOperator<T>, to root: Int = 0
  ) throws -> [T]? {
    try collective(.reduce, [T].self, root: root, operation: operation.standardNumber, count: values.count) {
      ranks, tag in
      let (bytes, result) = (try encoded(values), ByteBuffer())
      try ranks.messages.reduce(
        valueIn: bytes.bytes, appendingTo: result, operation.arrayOperator, to: root, tag: tag)
      return rank == root ? try decode(result.bytes, ValueCodec<[T]>()) : nil
    }
  }

  /// Combines the arrays element by element and gives each rank its block of the result: `counts[rank]` elements, or an
  /// equal share. Throws as `allReduce`, and if the counts don't add up.
  ///
  /// - Complexity: Each rank sends all its values once, and combines as many.
  @available(*, noasync, message: "await it instead")
  public func reduceScatter<T: Codable>(
    _ values: [T], counts: [Int]? = nil, _ operation: ReduceOperator<T>
  ) throws -> [T] {
    try collective(.reduceScatter, [T].self, operation: operation.standardNumber, count: values.count) {
      ranks, tag in
      var (pieces, start) = (Pieces(), 0)
      for count in try self.counts(counts, of: values.count) {
        let block = Array(values[start..<start + count])
        try pieces.append { try encode(block, ValueCodec<[T]>(), into: $0) }
        start += count
      }
      let blocks: [[T]] = try self.values(ranks.messages.allToAll(valuesIn: pieces, tag: tag))
      return try blocks.dropFirst().reduce(blocks[0], operation.combineElements)
    }
  }

  /// Combines, for each rank, the arrays of all ranks up to and including it, element by element. Throws as `allReduce`.
  @available(*, noasync, message: "await it instead")
  public func scan<T: Codable>(_ values: [T], _ operation: ReduceOperator<T>) throws -> [T] {
    try collective(.scan, [T].self, operation: operation.standardNumber, count: values.count) { ranks, tag in
      let (bytes, result) = (try encoded(values), ByteBuffer())
      try ranks.messages.scan(valueIn: bytes.bytes, appendingTo: result, operation.arrayOperator, tag: tag)
      return try decode(result.bytes, ValueCodec<[T]>())
    }
  }

  /// Combines, for each rank, the arrays of all ranks before it, element by element; nil on rank 0. Throws as
  /// `allReduce`.
  @available(*, noasync, message: "await it instead")
  public func exclusiveScan<T: Codable>(_ values: [T], _ operation: ReduceOperator<T>) throws -> [T]? {
    try collective(.exclusiveScan, [T].self, operation: operation.standardNumber, count: values.count) {
      ranks, tag in
      let (bytes, result) = (try encoded(values), ByteBuffer())
      try ranks.messages.exclusiveScan(
        valueIn: bytes.bytes, appendingTo: result, operation.arrayOperator, tag: tag)
      return rank == 0 ? nil : try decode(result.bytes, ValueCodec<[T]>())
    }
  }
}

import ApusWire

// Every rank of the communicator calls the same operation, in the same order, with as many elements.
extension Communicator {
  /// Combines the values of all ranks, in rank order, and gives the result to every rank.
  ///
  /// ```swift
  /// let total = try world.allReduce(mine, .sum)
  /// ```
  ///
  /// - Throws: `MessageError`, and what the operator throws.
  @available(*, noasync, message: "await it instead")
  public func allReduce<T: Codable>(_ value: T, _ operation: ReduceOperator<T>) throws -> T {
    try collective(.allReduce, T.self, operation: operation.standardNumber) { ranks, tag in
      let (codec, bytes, result) = (ValueCodec<T>(), try encoded(value), ByteBuffer())
      try ranks.messages.allReduce(
        valueIn: bytes.bytes, appendingTo: result, operation.valueOperator, tag: tag)
      return try decode(result.bytes, codec)
    }
  }

  /// The same for a plain value.
  @available(*, noasync, message: "await it instead")
  public func allReduce<T: RawCodable>(_ value: T, _ operation: ReduceOperator<T>) throws -> T {
    try collective(.allReduce, T.self, operation: operation.standardNumber) { ranks, tag in
      try replacing(value) {
        try ranks.allReduce($0.readable, into: $0, operation.elementOperator, tag: tag)
      }
    }
  }

  /// The same element by element, for arrays of one length on all ranks.
  @available(*, noasync, message: "await it instead")
  public func allReduce<T: RawCodable>(_ values: [T], _ operation: ReduceOperator<T>) throws -> [T] {
    try collective(.allReduce, [T].self, operation: operation.standardNumber, count: values.count) {
      ranks, tag in
      try Array(unsafeUninitializedCapacity: values.count) { buffer, count in
        let result = UnsafeMutableRawBufferPointer(
          start: buffer.baseAddress, count: values.count * MemoryLayout<T>.stride)
        try values.withUnsafeBytes {
          try ranks.allReduce($0, into: result, operation.elementOperator, tag: tag)
        }
        count = values.count
      }
    }
  }

  /// Combines the values of all ranks, in rank order, on the root; nil on the others.
  @available(*, noasync, message: "await it instead")
  public func reduce<T: Codable>(_ value: T, _ operation: ReduceOperator<T>, to root: Int = 0) throws -> T? {
    try collective(.reduce, T.self, root: root, operation: operation.standardNumber) { ranks, tag in
      let (codec, bytes, result) = (ValueCodec<T>(), try encoded(value), ByteBuffer())
      try ranks.messages.reduce(
        valueIn: bytes.bytes, appendingTo: result, operation.valueOperator, to: root, tag: tag)
      return rank == root ? try decode(result.bytes, codec) : nil
    }
  }

  /// The same for a plain value.
  @available(*, noasync, message: "await it instead")
  public func reduce<T: RawCodable>(_ value: T, _ operation: ReduceOperator<T>, to root: Int = 0) throws -> T?
  {
    try collective(.reduce, T.self, root: root, operation: operation.standardNumber) { ranks, tag in
      let result = try replacing(value) {
        try ranks.messages.reduce(
          UnsafeRawBufferPointer($0), into: $0, operation.elementOperator, to: root, tag: tag)
      }
      return rank == root ? result : nil
    }
  }

  /// The same element by element, for arrays of plain values of one length on all ranks.
  @available(*, noasync, message: "await it instead")
  public func reduce<T: RawCodable>(_ values: [T], _ operation: ReduceOperator<T>, to root: Int = 0) throws
    -> [T]?
  {
    try collective(.reduce, [T].self, root: root, operation: operation.standardNumber, count: values.count) {
      ranks, tag in
      var result = rank == root ? values : []
      try values.withUnsafeBytes { elements in
        try result.withUnsafeMutableBytes {
          try ranks.messages.reduce(elements, into: $0, operation.elementOperator, to: root, tag: tag)
        }
      }
      return rank == root ? result : nil
    }
  }

  /// Combines arrays element by element and gives each rank its block of the result: `counts[rank]` elements, or an
  /// equal share.
  ///
  /// - Throws: `MessageError` (`invalidArgument`) if the counts don't add up.
  @available(*, noasync, message: "await it instead")
  public func reduceScatter<T: RawCodable>(
    _ values: [T], counts: [Int]? = nil, _ operation: ReduceOperator<T>
  ) throws -> [T] {
    try collective(.reduceScatter, [T].self, operation: operation.standardNumber, count: values.count) {
      ranks, tag in
      let unit = MemoryLayout<T>.stride
      let counts = try self.counts(counts, of: values.count)
      return try Array(unsafeUninitializedCapacity: counts[rank]) { buffer, count in
        try values.withUnsafeBytes {
          try ranks.messages.reduceScatter(
            $0, lengths: counts.map { $0 * unit },
            into: UnsafeMutableRawBufferPointer(
              rebasing: UnsafeMutableRawBufferPointer(buffer)[..<(counts[rank] * unit)]),
            operation.elementOperator, tag: tag)
        }
        count = counts[rank]
      }
    }
  }

  /// Combines, for each rank, the values of all ranks up to and including it.
  @available(*, noasync, message: "await it instead")
  public func scan<T: Codable>(_ value: T, _ operation: ReduceOperator<T>) throws -> T {
    try collective(.scan, T.self, operation: operation.standardNumber) { ranks, tag in
      let (codec, bytes, result) = (ValueCodec<T>(), try encoded(value), ByteBuffer())
      try ranks.messages.scan(valueIn: bytes.bytes, appendingTo: result, operation.valueOperator, tag: tag)
      return try decode(result.bytes, codec)
    }
  }

  /// The same for a plain value.
  @available(*, noasync, message: "await it instead")
  public func scan<T: RawCodable>(_ value: T, _ operation: ReduceOperator<T>) throws -> T {
    try collective(.scan, T.self, operation: operation.standardNumber) { ranks, tag in
      try replacing(value) { try ranks.scan($0, operation.elementOperator, tag: tag) }
    }
  }

  /// The same element by element, for arrays of plain values of one length on all ranks.
  @available(*, noasync, message: "await it instead")
  public func scan<T: RawCodable>(_ values: [T], _ operation: ReduceOperator<T>) throws -> [T] {
    try collective(.scan, [T].self, operation: operation.standardNumber, count: values.count) { ranks, tag in
      var values = values
      try values.withUnsafeMutableBytes { try ranks.scan($0, operation.elementOperator, tag: tag) }
      return values
    }
  }

  /// Combines, for each rank, the values of all ranks before it; nil on rank 0.
  @available(*, noasync, message: "await it instead")
  public func exclusiveScan<T: Codable>(_ value: T, _ operation: ReduceOperator<T>) throws -> T? {
    try collective(.exclusiveScan, T.self, operation: operation.standardNumber) { ranks, tag in
      let (codec, bytes, result) = (ValueCodec<T>(), try encoded(value), ByteBuffer())
      try ranks.messages.exclusiveScan(
        valueIn: bytes.bytes, appendingTo: result, operation.valueOperator, tag: tag)
      return rank == 0 ? nil : try decode(result.bytes, codec)
    }
  }

  /// The same for a plain value.
  @available(*, noasync, message: "await it instead")
  public func exclusiveScan<T: RawCodable>(_ value: T, _ operation: ReduceOperator<T>) throws -> T? {
    try collective(.exclusiveScan, T.self, operation: operation.standardNumber) { ranks, tag in
      let result = try replacing(value) { try ranks.exclusiveScan($0, operation.elementOperator, tag: tag) }
      return rank == 0 ? nil : result
    }
  }

  /// The same element by element, for arrays of plain values of one length on all ranks; nil on rank 0.
  @available(*, noasync, message: "await it instead")
  public func exclusiveScan<T: RawCodable>(_ values: [T], _ operation: ReduceOperator<T>) throws -> [T]? {
    try collective(.exclusiveScan, [T].self, operation: operation.standardNumber, count: values.count) {
      ranks, tag in
      var values = values
      try values.withUnsafeMutableBytes { try ranks.exclusiveScan($0, operation.elementOperator, tag: tag) }
      return rank == 0 ? nil : values
    }
  }

  /// What `body` makes of the memory of a value.
  private func replacing<T: RawCodable>(
    _ value: T, _ body: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws -> T {
    // Not the variable itself: it need not have the padding that an element of an array has. And not by a closure that
    // returns a `T`, whose `Result` would be asked of the runtime.
    let one = UnsafeMutablePointer<T>.allocate(capacity: 1)
    defer { one.deallocate() }
    one.initialize(to: value)
    try body(UnsafeMutableRawBufferPointer(start: one, count: MemoryLayout<T>.stride))
    return one.pointee
  }
}

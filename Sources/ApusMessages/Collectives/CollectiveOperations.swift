/// What the ranks of a communicator do together with memory: by the MPI library where it is one of its own operations,
/// on bytes or on its own types and operators, and else by our algorithms over messages.
///
/// Which it is follows from what all ranks know, so it is the same on all. A rank can't leave the library's operation
/// before all have taken part, nor hear meanwhile that one of them has given up. So these here are only those that no
/// rank gives up. What one may not be able to do (it has no value, other counts, a root that can't be) goes by our
/// messages: `messages`.
struct CollectiveOperations: Sendable {
  let messages: CollectiveChannel
  let native: MPICollectives?

  /// Has the library do it. False if there is none under these ranks, if it can't count that far, or if ours is faster.
  private func natively(
    _ length: Int, _ start: (MPICommunicator) throws(MPIFailure) -> MPIRequest
  ) throws -> Bool {
    guard let native, CollectiveChoice.isNative(length: length, ranks: messages.size) else { return false }
    return try native.run(start)
  }

  func barrier(tag: Int32) throws {
    if try natively(0, { (ranks) throws(MPIFailure) in try ranks.startBarrier() }) { return }
    try messages.barrier(tag: tag)
  }

  func allGather(_ pieces: UnsafeMutableRawBufferPointer, tag: Int32) throws {
    if try natively(pieces.count, { (ranks) throws(MPIFailure) in try ranks.startAllGather(pieces) }) {
      return
    }
    try messages.allGather(pieces, tag: tag)
  }

  func allToAll(
    _ outgoing: UnsafeRawBufferPointer, into incoming: UnsafeMutableRawBufferPointer, tag: Int32
  ) throws {
    if try natively(
      outgoing.count,
      { (ranks) throws(MPIFailure) in
        try ranks.startAllToAll(outgoing, into: incoming.baseAddress)
      })
    {
      return
    }
    try messages.allToAll(outgoing, into: incoming, tag: tag)
  }

  // MARK: Reductions

  /// The same where the library has such a type and operator.
  private func natively(
    _ operation: ElementOperator, _ length: Int,
    _ start: (MPICommunicator, MPIReduction) throws(MPIFailure) -> MPIRequest
  ) throws -> Bool {
    guard let reduction = operation.native, reduction.isExact else { return false }
    return try natively(length) { (ranks) throws(MPIFailure) in try start(ranks, reduction) }
  }

  /// - Parameter result: As long as `elements`; other memory, or the same.
  func allReduce(
    _ elements: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator, tag: Int32
  ) throws {
    if native != nil {
      result.fill(from: elements)
      if try natively(
        operation, elements.count,
        { (ranks, how) throws(MPIFailure) in try ranks.startAllReduce(result, how) })
      {
        return
      }
    }
    try messages.allReduce(elements, into: result, operation, tag: tag)
  }

  func scan(_ elements: UnsafeMutableRawBufferPointer, _ operation: ElementOperator, tag: Int32) throws {
    if try natively(
      operation, elements.count, { (ranks, how) throws(MPIFailure) in try ranks.startScan(elements, how) })
    {
      return
    }
    try messages.scan(elements, operation, tag: tag)
  }

  func exclusiveScan(
    _ elements: UnsafeMutableRawBufferPointer, _ operation: ElementOperator, tag: Int32
  ) throws {
    if operation.native?.isExact == true, native != nil {
      let own = UnsafeMutableRawBufferPointer.allocate(byteCount: elements.count, alignment: scratchAlignment)
      defer { own.deallocate() }
      own.copyMemory(from: UnsafeRawBufferPointer(elements))
      let isDone = try natively(
        operation, elements.count,
        { (ranks, how) throws(MPIFailure) in
          try ranks.startExclusiveScan(UnsafeRawBufferPointer(own), into: elements.baseAddress, how)
        })
      if isDone { return }
    }
    try messages.exclusiveScan(elements, operation, tag: tag)
  }
}

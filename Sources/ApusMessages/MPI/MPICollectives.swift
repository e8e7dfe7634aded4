/// The collective operations of the MPI library among the ranks of one communicator.
///
/// They are requests, never blocking calls, which are not the same operation to MPI: a rank that has receives under
/// way must move them on while it takes part, since another may send to it before it does.
final class MPICollectives: Sendable {
  let transport: MPITransport
  /// The same ranks, for nothing else.
  let ranks: MPICommunicator

  init(_ transport: MPITransport, _ ranks: MPICommunicator) {
    (self.transport, self.ranks) = (transport, ranks)
  }

  // To free it here would take the transport's turn.
  deinit { if ranks != transport.natives { transport.abandoned.withLock { $0.append(ranks) } } }

  /// False, and nothing has happened, if there are more elements than the library counts.
  func run(_ start: (MPICommunicator) throws(MPIFailure) -> MPIRequest) throws -> Bool {
    try transport.enter()
    defer { transport.leave() }
    do {
      var request = try start(ranks)
      try transport.wait(for: &request)
      return true
    } catch let failure as MPIFailure where failure.code == .tooLarge {
      return false
    } catch {
      let failure = error as? MPIFailure ?? (error as? MessageError)?.underlyingError as? MPIFailure
      guard let failure else { throw error }
      throw MessageError(
        failure.code == .truncated ? .tooLong : .transport,
        "\(failure)" + (failure.code == .truncated ? ": all ranks must pass as many elements" : ""),
        underlying: failure)
    }
  }

  /// Calls `body` while no other thread of ours is in the library.
  func inside<R>(_ body: (MPICommunicator, MPITransport) throws -> R) throws -> R {
    try transport.enter()
    defer { transport.leave() }
    return try body(ranks, transport)
  }
}

extension MPITransport {
  /// Whether this rank can take part in making a communicator of the library's: that waits inside the library, where
  /// another thread's operations would stand still.
  var canMakeNatives: Bool { !isShared }

  /// The library's collective operations among some ranks of the world. All of them call it, right after each has
  /// heard from all others that it will, with `canMakeNatives` on each.
  func makeNatives(_ members: [Int32]) throws -> MPICollectives {
    try enter()
    defer { leave() }
    return try calling { () throws(MPIFailure) in
      // MPI leaves it open whether this waits for the other ranks, and expects that it does not. No library does.
      let old = abandoned.withLock { list in
        defer { list = [] }
        return list
      }
      for communicator in old { try communicator.free() }
      return MPICollectives(self, try natives.including(members))
    }
  }
}

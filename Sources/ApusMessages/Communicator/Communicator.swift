/// Ranks that talk: the processes of a job, each with a number from 0 on.
///
/// ```swift
/// let world = try Communicator.world()
/// if world.rank == 0 {
///   try world.send("P0", to: 1)
/// } else {
///   print(try world.receive(String.self, from: 0))
/// }
/// ```
///
/// The same program runs alone, as a world of one; under `apus launch -n 4`, through shared memory; and under the
/// launcher of an MPI library. Messages from one rank to another arrive in the order in which they were sent.
/// A send of a large message may wait until it is received, so two ranks that send each other large messages use
/// `sendReceive`.
public final class Communicator: Sendable {
  package let transport: any Transport
  package let context: UInt32
  /// The ranks in the world of this communicator's, or nil if they are the same.
  package let members: [Int32]?
  /// Shared by all communicators of this process.
  let progress: ProgressThread
  /// Shared by all communicators of this process.
  let contexts: Contexts

  /// This process's number, in `0..<size`.
  public let rank: Int
  /// How many ranks there are.
  public let size: Int

  /// Whether the transport has a shorter way for a message of one number.
  let hasShortNumbers: Bool
  let collectives: CollectiveOperations
  let turns = CollectiveTurns()

  /// The world of a transport.
  package init(_ transport: any Transport) {
    (self.transport, context, members, rank, size) = (transport, 0, nil, transport.rank, transport.size)
    (progress, contexts) = (ProgressThread(transport), Contexts())
    hasShortNumbers = transport is MPITransport
    collectives = CollectiveOperations(
      messages: CollectiveChannel(transport, context: 1, members: nil, rank: rank, size: size),
      native: (transport as? MPITransport).map { MPICollectives($0, $0.natives) })
  }

  /// Some of another's ranks.
  init(_ parent: Communicator, context: UInt32, members: [Int32], rank: Int, native: MPICollectives?) {
    (transport, progress, contexts) = (parent.transport, parent.progress, parent.contexts)
    (self.context, self.members, self.rank, size) = (context, members, rank, members.count)
    hasShortNumbers = parent.hasShortNumbers
    collectives = CollectiveOperations(
      messages: CollectiveChannel(
        transport, context: context + 1, members: members, rank: rank, size: members.count),
      native: native)
    transport.form(context, of: members)
  }

  deinit {
    turns.close()
    if members != nil { transport.form(context, of: nil) }
  }

  /// The largest tag that a message may have.
  public static let largestTag = 1 << 20

  // MARK: Ranks here and in the world

  @inline(__always)
  package func inWorld(_ rank: Int) -> Int { members.map { Int($0[rank]) } ?? rank }

  package func here(_ worldRank: Int32) -> Int {
    members.map { $0.firstIndex(of: worldRank) ?? -1 } ?? Int(worldRank)
  }

  @inline(__always)
  package func destination(_ rank: Int, _ tag: Int) throws -> Int {
    guard rank >= 0, rank < size, tag >= 0, tag <= Self.largestTag else { throw invalid(rank, tag) }
    return inWorld(rank)
  }

  /// - Parameters:
  ///   - source: A rank of this communicator, or `Selector.all`.
  ///   - tag: A tag, or `Selector.all`.
  @inline(__always)
  package func selector(_ source: Int, _ tag: Int) throws -> Selector {
    guard source >= 0 || source == Selector.all, source < size, tag >= 0 || tag == Selector.all,
      tag <= Self.largestTag
    else { throw invalid(source, tag, mayBeAny: true) }
    return Selector(
      context: context, source: source < 0 ? Selector.any : Int32(inWorld(source)),
      tag: tag < 0 ? Selector.any : Int32(tag))
  }

  private func invalid(_ rank: Int, _ tag: Int, mayBeAny: Bool = false) -> MessageError {
    let isTag = rank == Selector.all || (0..<size).contains(rank)
    let cure =
      !mayBeAny || (isTag ? tag : rank) >= 0
      ? "" : isTag ? "; `tag: .any` takes every tag" : "; `from: .any` takes from every rank"
    return isTag
      ? MessageError(.invalidArgument, "the tag \(tag) is not in 0...\(Self.largestTag)\(cure)")
      : MessageError(
        .invalidArgument, "there is no rank \(rank): this communicator has the ranks 0 to \(size - 1)\(cure)")
  }
}

import ApusCore

extension Communicator {
  /// Divides the ranks: those with the same color make a communicator of their own, ordered by `key` and then by their
  /// rank here. Nil, on ranks that give no color.
  ///
  /// Every rank of this communicator calls it.
  @available(*, noasync, message: "await it instead")
  public func split(color: Int?, key: Int = 0) throws -> Communicator? {
    struct Choice: RawCodable {
      var hasColor: Int
      var color: Int
      var key: Int
      var worldRank: Int
      var nextContext: Int
      var canMakeNatives: Int
    }
    return try collective(.split, Int.self) { ranks, tag in
      let library = transport as? MPITransport
      let mine = Choice(
        hasColor: color == nil ? 0 : 1, color: color ?? 0, key: key, worldRank: inWorld(rank),
        nextContext: Int(contexts.next), canMakeNatives: library?.canMakeNatives == true ? 1 : 0)
      var choices = Array(repeating: mine, count: size)
      try choices.withUnsafeMutableBytes { try ranks.messages.allGather($0, tag: tag) }
      // A number that none of the ranks has used; groups that share no rank may share a number.
      let context = choices.map(\.nextContext).max()!
      contexts.advance(past: context)
      guard mine.hasColor == 1 else { return nil }
      let group = choices.enumerated()
        .filter { $0.element.hasColor == 1 && $0.element.color == mine.color }
        .sorted { ($0.element.key, $0.offset) < ($1.element.key, $1.offset) }
        .map(\.element)
      let members = group.map { Int32($0.worldRank) }
      // By what all of them know, so that all do the same; a library that has no room for more refuses it to all.
      let native =
        group.count > 1 && group.allSatisfy { $0.canMakeNatives == 1 }
        ? try? library?.makeNatives(members) : nil
      return Communicator(
        self, context: UInt32(context), members: members,
        rank: members.firstIndex(of: Int32(mine.worldRank))!, native: native)
    }
  }

  /// The same ranks once more, with messages that meet none of this communicator's: for a library that sends messages
  /// of its own.
  @available(*, noasync, message: "await it instead")
  public func duplicate() throws -> Communicator { try split(color: 0, key: rank)! }
}

/// The numbers of the communicators of this process.
final class Contexts: Sendable {
  private let value = Locked<UInt32>(3)

  var next: UInt32 { value.withLock { $0 } }

  /// Each communicator has three: for messages, for collective operations, and for persistent requests.
  func advance(past context: Int) { value.withLock { $0 = max($0, UInt32(context) + 3) } }
}

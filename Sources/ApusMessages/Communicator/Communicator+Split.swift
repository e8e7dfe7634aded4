import ApusSystem
import ApusWire

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
      /// Rank 0's choice of the new communicators' number.
      var context: UInt64
      var canMakeNatives: Int
    }
    return try collective(.split, Int.self) { ranks, tag in
      // Without a number rank 0 takes part all the same, and tells by that: the others may be in the library's operation.
      let drawn = Result { rank == 0 ? try contexts.draw(transport.rank, of: transport.size) : 0 }
      let library = transport as? MPITransport
      let mine = Choice(
        hasColor: color == nil ? 0 : 1, color: color ?? 0, key: key,
        context: (try? drawn.get()) ?? 0,
        canMakeNatives: library?.canMakeNatives == true ? 1 : 0)
      var choices = Array(repeating: mine, count: size)
      try choices.withUnsafeMutableBytes { try ranks.messages.allGather($0, tag: tag) }
      _ = try drawn.get()
      guard choices[0].context != 0 else {
        throw MessageError(.noResources, "rank 0 has no numbers left for more communicators", rank: 0)
      }
      // Groups that share no rank may share a number.
      guard let context = UInt32(exactly: choices[0].context), Contexts.isNumber(context) else {
        throw MessageError(.transport, "what rank 0 sent in a split can't be: it has run wild", rank: 0)
      }
      guard mine.hasColor == 1 else { return nil }
      choices[rank] = mine
      let group = choices.indices
        .filter { choices[$0].hasColor == 1 && choices[$0].color == mine.color }
        .sorted { (choices[$0].key, $0) < (choices[$1].key, $1) }
      let members = group.map { Int32(inWorld($0)) }
      // By what all of them know, so that all do the same; a library that has no room for more refuses it to all.
      let native =
        group.count > 1 && group.allSatisfy { choices[$0].canMakeNatives == 1 }
        ? try? library?.makeNatives(members) : nil
      return Communicator(
        self, context: context, members: members, rank: group.firstIndex(of: rank)!, native: native)
    }
  }

  /// The same ranks once more, with messages that meet none of this communicator's: for a library that sends messages
  /// of its own.
  @available(*, noasync, message: "await it instead")
  public func duplicate() throws -> Communicator { try split(color: 0, key: rank)! }
}

/// Which ranks a receive takes messages from: a rank, or `.any`. `-1` means any too, on every transport.
public protocol RankSelection {
  /// The rank, or -1.
  var _rank: Int { get }
}

/// Which tags a receive takes: a tag, or `.any`. `-1` means any too, on every transport.
public protocol TagSelection {
  /// The tag, or -1.
  var _tag: Int { get }
}

extension Int: RankSelection, TagSelection {
  /// The rank, or -1.
  public var _rank: Int { self }
  /// The tag, or -1.
  public var _tag: Int { self }
}

/// Any rank, or any tag: `from: .any`, `tag: .any`.
public struct AnyRankOrTag: RankSelection, TagSelection, Sendable {
  /// The rank, or -1.
  public var _rank: Int { -1 }
  /// The tag, or -1.
  public var _tag: Int { -1 }
}

extension RankSelection where Self == AnyRankOrTag {
  /// Whichever rank sends first.
  public static var any: AnyRankOrTag { AnyRankOrTag() }
}

extension TagSelection where Self == AnyRankOrTag {
  /// Whatever the tag is.
  public static var any: AnyRankOrTag { AnyRankOrTag() }
}

/// What is known of a message besides its value.
public struct MessageStatus: Sendable, Equatable {
  /// The sender's rank in the communicator.
  public let source: Int
  /// The tag that it was sent under.
  public let tag: Int
  /// How many bytes the value takes on its way.
  public let byteCount: Int
  /// How many elements, if the message is an array of plain values or one such value; else nil. Also nil from `probe`
  /// where this rank has neither sent nor received such a type yet, and it is none of the standard library's numbers.
  public let count: Int?
}

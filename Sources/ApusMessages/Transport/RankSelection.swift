/// Which ranks a receive takes messages from: a rank, an `Int`, or `.any`.
public protocol RankSelection {
  /// The rank, or `Selector.all`. Not a property, which every `Int` would have.
  @_documentation(visibility: internal)
  static func _rank(_ selection: Self) -> Int
}

/// Which tags a receive takes: a tag, an `Int`, or `.any`.
public protocol TagSelection {
  /// The tag, or `Selector.all`.
  @_documentation(visibility: internal)
  static func _tag(_ selection: Self) -> Int
}

// No number means any rank or tag: `rank - 1` is a mistake on rank 0, which must not receive from anybody for it.
extension Int: RankSelection, TagSelection {
  /// Not part of the interface.
  @_documentation(visibility: internal)
  public static func _rank(_ selection: Int) -> Int { Swift.max(selection, Selector.all + 1) }
  /// Not part of the interface.
  @_documentation(visibility: internal)
  public static func _tag(_ selection: Int) -> Int { Swift.max(selection, Selector.all + 1) }
}

/// Any rank, or any tag: `from: .any`, `tag: .any`.
public struct AnyRankOrTag: RankSelection, TagSelection, Sendable {
  /// For a choice at run time: `let source: any RankSelection = isFirst ? AnyRankOrTag.any : previous`.
  public static var any: AnyRankOrTag { AnyRankOrTag() }

  /// Not part of the interface.
  @_documentation(visibility: internal)
  public static func _rank(_ selection: AnyRankOrTag) -> Int { Selector.all }
  /// Not part of the interface.
  @_documentation(visibility: internal)
  public static func _tag(_ selection: AnyRankOrTag) -> Int { Selector.all }
}

extension RankSelection {
  /// What `Communicator.selector` takes.
  @inline(__always) var rankOrAll: Int { Self._rank(self) }
}

extension TagSelection {
  /// What `Communicator.selector` takes.
  @inline(__always) var tagOrAll: Int { Self._tag(self) }
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

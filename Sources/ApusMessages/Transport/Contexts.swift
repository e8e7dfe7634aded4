import ApusSystem

/// The numbers of communicators, multiples of four: each has one for its users' messages, and the next ones for those of
/// its collective operations and others. The world has 0.
final class Contexts: Sendable {
  private static let step: UInt64 = 4
  private let drawn = Locked<UInt64>(0)

  /// A number that no rank ever draws again: each has its own ones, so that two splits at the same time can't meet.
  func draw(_ rank: Int, of size: Int) throws -> UInt64 {
    let turn = drawn.withLock { drawn in
      defer { drawn += 1 }
      return drawn
    }
    let number = Self.step * (UInt64(rank) + 1 + turn * UInt64(size))
    guard number <= UInt32.max else {
      throw MessageError(.noResources, "rank \(rank) has made \(turn) communicators, and there are no more")
    }
    return number
  }

  /// Whether it is a split's.
  static func isNumber(_ context: UInt32) -> Bool { context > 0 && context == communicator(of: context) }

  /// The number of a communicator, of one of its contexts.
  static func communicator(of context: UInt32) -> UInt32 { context & ~(UInt32(step) - 1) }

  static func isCollective(_ context: UInt32) -> Bool { context == communicator(of: context) + 1 }
}

/// How the values of a type travel, decided by the type alone.
package enum WireFormat: Hashable, Sendable {
  /// As the value's memory: always `size` bytes.
  case raw(size: Int)
  /// As the elements' memory: a multiple of `elementStride` bytes. `ValueCodec` can lend the elements without a
  /// copy, and have a new array's storage filled in place.
  case rawArray(elementStride: Int)
  /// As a message of the binary coder, or of one of `ValueCodec`'s short cuts (`String`, `Bool`, `Data`, …).
  case coded

  /// The format of `type`. Some microseconds for the first question about a type, nanoseconds after that.
  package static func of<T: Codable>(_ type: T.Type) -> WireFormat {
    let facts = TypeFacts.of(type)
    switch facts.pointee.kind {
    case .coded, .bool, .string, .optional, .data: return .coded
    case .rawArray: return .rawArray(elementStride: facts.pointee.rawArray!.elementStride)
    default: return .raw(size: facts.pointee.size)
    }
  }
}

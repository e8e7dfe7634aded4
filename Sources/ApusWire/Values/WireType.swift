package import Synchronization

/// How values of a type travel, as a type that is not generic. For code that is not specialised: asking the
/// runtime for `ValueCodec<T>` would take longer than passing a small value does.
package struct WireType {
  // Records of types are written once and live for ever.
  private let facts: UnsafePointer<TypeFacts>

  /// Some nanoseconds, except for the first time.
  package init<T>(_ type: T.Type) { facts = TypeFacts.of(type) }

  /// A word of the process that belongs to the type, 0 at first: for what else is to be known of it.
  package var mark: UnsafeMutablePointer<Atomic<UInt64>> { facts.pointee.mark }

  /// Whether values travel as messages of the binary coder: then `BinaryEncoder` and `BinaryDecoder` do what
  /// `ValueCodec` would.
  package var goesByCoder: Bool { facts.pointee.goesByCoder }

  /// The bytes of a value that travels as its memory; nil if it travels in another way.
  package var rawSize: Int? {
    switch facts.pointee.kind {
    case .coded, .bool, .string, .rawArray, .optional, .data: nil
    default: facts.pointee.size
    }
  }

  /// The bytes from one element to the next of an array that travels as its elements' memory; nil if it does not.
  package var arrayStride: Int? {
    facts.pointee.kind == .rawArray ? facts.pointee.rawArray!.elementStride : nil
  }

  /// Calls `body` with the elements of such an array.
  ///
  /// - Parameter array: Points to a value of the type.
  package func withElements(
    of array: UnsafeRawPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) rethrows {
    try facts.pointee.rawArray!.withElements(of: array, body)
  }
}

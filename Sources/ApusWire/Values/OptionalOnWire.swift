/// The door to `Optional` for encoding: spares an array of optionals a container for each element, and keeps
/// `.some(nil)` of an `Int??` apart from `nil`, which `Codable`'s own way does not.
protocol EncodableOptional: SendableMetatype {
  static var wrappedIsOptional: Bool { get }
  static func encode(at pointer: UnsafeRawPointer, to sink: EncoderSink, node: Int, element: Int) throws
}

/// The door to `Optional` for decoding.
protocol DecodableOptional: SendableMetatype {
  /// The value at `position`.
  static func decode(
    at position: Int, end: Int, session: DecoderSession, node: Int, element: Int
  ) throws -> Self
}

extension Optional: EncodableOptional where Wrapped: Encodable {
  static var wrappedIsOptional: Bool { Wrapped.self is any EncodableOptional.Type }

  static func encode(at pointer: UnsafeRawPointer, to sink: EncoderSink, node: Int, element: Int) throws {
    switch pointer.assumingMemoryBound(to: Self.self).pointee {
    case nil: sink.writeNil()
    case let wrapped?:
      if wrappedIsOptional { sink.write(tag: .present) }
      try sink.encode(wrapped, node: node, element: element)
    }
  }
}

extension Optional: DecodableOptional where Wrapped: Decodable {
  static func decode(
    at position: Int, end: Int, session: DecoderSession, node: Int, element: Int
  ) throws -> Self {
    if session.isNil(at: position, end: end) { return nil }
    guard session.isPresent(at: position, end: end) else {
      return try session.decode(Wrapped.self, at: position, end: end, node: node, element: element)
    }
    // What follows `present` may be an optional that is nil. A row of `present` is one byte a level, so each
    // counts as depth.
    if session.isNil(at: position + 1, end: end), !(Wrapped.self is any DecodableOptional.Type) { return nil }
    let child = try session.push(node: node, element: element, position: position + 1, end: end)
    defer { session.pop(to: child) }
    return try session.decode(
      Wrapped.self, at: position + 1, end: end, node: child, element: WirePath.none)
  }
}

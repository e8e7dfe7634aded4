import ApusWire

/// How what a body gives travels: nothing at all, or a `Codable` value.
///
/// Asked at run time, because `Void` can't conform to anything.
enum RankOutput<Output> {
  static var canTravel: Bool { Output.self == Void.self || Output.self is any Codable.Type }

  static func encode(_ value: Output, into buffer: ByteBuffer) throws {
    guard let type = Output.self as? any Codable.Type else { return }
    try encode(value, as: type, into: buffer)
  }

  static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Output {
    guard let type = Output.self as? any Codable.Type else { return () as! Output }
    return try decode(bytes, as: type)
  }

  private static func encode<Value: Codable>(
    _ value: Output, as _: Value.Type, into buffer: ByteBuffer
  ) throws {
    try ValueCodec<Value>().encode(value as! Value, into: buffer)
  }

  private static func decode<Value: Codable>(_ bytes: UnsafeRawBufferPointer, as _: Value.Type) throws
    -> Output
  {
    try ValueCodec<Value>().decode(bytes) as! Output
  }
}

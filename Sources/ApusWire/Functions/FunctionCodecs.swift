/// Encodes the arguments and decodes the results of one function.
///
/// Made once a function: generic code that names `ValueCodec<Input>` where `Input` is not known to the compiler
/// has the runtime look that type up at every use, which costs more than coding a number does.
package final class FunctionCodecs<Input: Codable, Output: Codable>: AnyFunctionCodecs, @unchecked Sendable {
  // Sound: it holds constants only.
  private let input = ValueCodec<Input>()
  private let output = ValueCodec<Output>()

  override init() {}

  /// Appends the encoding of an argument.
  package func encode(_ argument: Input, into buffer: ByteBuffer) throws {
    try input.encode(argument, into: buffer)
  }

  /// The result that the bytes hold.
  package func decode(_ bytes: UnsafeRawBufferPointer) throws -> Output { try output.decode(bytes) }
}

/// The codecs of a function whose types the code around does not name.
package class AnyFunctionCodecs: @unchecked Sendable {
  // Sound: its only subclass holds constants.
  fileprivate init() {}
}

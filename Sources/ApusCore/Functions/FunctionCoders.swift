/// Encodes the arguments and decodes the results of one function, its types behind pointers.
///
/// Made once a function: generic code that names `ValueCodec<Input>` where `Input` is not known to the compiler
/// has the runtime look that type up at every use, which costs more than coding a number does.
package class FunctionCoders: @unchecked Sendable {
  // Sound: subclasses hold constants only.

  fileprivate init() {}

  static func of<Input: Codable, Output: Codable>(_: Input.Type, _: Output.Type) -> FunctionCoders {
    TypedCoders<Input, Output>()
  }

  /// Appends the encoding of the argument that the pointer points to.
  package func encode(_ argument: UnsafeRawPointer, into buffer: ByteBuffer) throws { fatalError("abstract") }

  /// Initialises the memory at the pointer with the result that the bytes hold.
  package func decode(_ bytes: UnsafeRawBufferPointer, to result: UnsafeMutableRawPointer) throws {
    fatalError("abstract")
  }
}

private final class TypedCoders<Input: Codable, Output: Codable>: FunctionCoders, @unchecked Sendable {
  private let input = ValueCodec<Input>()
  private let output = ValueCodec<Output>()

  override func encode(_ argument: UnsafeRawPointer, into buffer: ByteBuffer) throws {
    try input.encode(argument.assumingMemoryBound(to: Input.self).pointee, into: buffer)
  }

  override func decode(_ bytes: UnsafeRawBufferPointer, to result: UnsafeMutableRawPointer) throws {
    result.initializeMemory(as: Output.self, to: try output.decode(bytes))
  }
}

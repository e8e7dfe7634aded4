import ApusEngine
import ApusWire

/// An argument that is one large array: sent from its own storage, without a copy.
struct LargeArgument<Input: Codable & Sendable> {
  let batch: InputBatch

  private final class Owner {
    let value: Input
    init(_ value: Input) { self.value = value }
  }

  /// Nil if the argument is anything else.
  init?(_ value: Input, _ function: FunctionDefinition) {
    guard function.takesRawArray else { return nil }
    let codec = ValueCodec<Input>()
    let owner = Owner(value)
    // The storage of an array is an object: it stays where it is for as long as the owner holds the array,
    // and nobody can change it, as any other holder of it would copy it first.
    let bytes = codec.withRawBytes(of: owner.value) { $0 }
    guard let bytes, bytes.count > 32 << 10, let base = bytes.baseAddress else { return nil }
    batch = InputBatch(raw: base, stride: bytes.count, count: 1, owner: owner)
  }
}

import ApusSystem
import Synchronization

/// Makes the definition of a Swift function, or says why there can be none.
@usableFromInline
package final class FunctionSource: Sendable {
  /// How its arguments and results travel.
  let codecs: AnyFunctionCodecs
  private let plain: Result<FunctionDefinition, FunctionProblem>
  private let encodeContext: (@Sendable (ByteBuffer) throws -> Void)?
  /// Of one that is made once.
  private let key: Key?
  private let bound = Locked<FunctionDefinition?>(nil)

  private init(
    _ plain: Result<FunctionDefinition, FunctionProblem>, _ codecs: AnyFunctionCodecs, key: Key? = nil,
    context: (@Sendable (ByteBuffer) throws -> Void)? = nil
  ) {
    (self.plain, self.codecs, self.key, encodeContext) = (plain, codecs, key, context)
  }

  /// The definition, the context value encoded in it. Runs the user's `encode(to:)` the first time.
  package func definition() throws -> FunctionDefinition {
    let plain = try plain.get()
    guard let encodeContext else { return plain }
    if let known = bound.withLock({ $0 }) { return known }
    // Not under the lock: the user's code may take its time, and two threads may both do this.
    let bytes = ByteBuffer(capacity: 256)
    bytes.append(contentsOf: plain.bytes.bytes)
    try encodeContext(bytes)
    let made = FunctionDefinition(
      bytes: bytes, carriesContext: true, strides: plain.strides, takesRawArray: plain.takesRawArray)
    return bound.withLock {
      if let known = $0 { return known }
      $0 = made
      return made
    }
  }

  func binding(_ context: @escaping @Sendable (ByteBuffer) throws -> Void) -> FunctionSource {
    FunctionSource(plain, codecs, context: context)
  }

  // MARK: The functions of the program

  private struct Key: Hashable {
    let code: UInt
    let context, input, output: ObjectIdentifier

    // The types hardly ever tell two keys apart that the code does not.
    func hash(into hasher: inout Hasher) { hasher.combine(code) }
  }

  private static let known = Locked<[Key: FunctionSource]>([:])
  /// Those asked for last, each at a place that its code chooses: every call of a body asks, and a hash table behind a
  /// lock costs as much as sending the task does.
  private static let recent = Recent()

  /// The source for a body. Making one costs microseconds, so each is made once: a body's code address and
  /// its types name it for as long as the program runs.
  static func of<Context: Codable, Input: Codable, Output: Codable>(
    _ shape: BodyShape, _ body: ClosureWords, loop: ClosureWords, at place: CallPlace,
    _ context: Context.Type, _ input: Input.Type, _ output: Output.Type
  ) -> FunctionSource {
    guard body.context == 0 else {
      return FunctionSource(.failure(.captures(body.context, at: place)), FunctionCodecs<Input, Output>())
    }
    let key = Key(
      code: body.code, context: ObjectIdentifier(context), input: ObjectIdentifier(input),
      output: ObjectIdentifier(output))
    if let source = recent.source(key) { return source }
    let source = known.withLock { $0[key] } ?? make()
    recent.keep(source, key)
    return source

    func make() -> FunctionSource {
      // Not under the lock, which a fork would find taken: two threads may both do this.
      let made = FunctionSource(
        define(shape, body.code, loop: loop, Context.self, Input.self, Output.self),
        FunctionCodecs<Input, Output>(), key: key)
      return known.withLock { known in
        if let first = known[key] { return first }
        known[key] = made
        return made
      }
    }
  }

  /// Sources that live as long as the program, since `known` keeps them: no reference is counted here.
  private struct Recent: @unchecked Sendable {
    // Sound: the words are atomic, and what they point to is never freed.
    private let words = SharedWord.allocate(capacity: 64)

    init() { for place in 0..<64 { (words + place).initialize(to: Atomic(0)) } }

    func source(_ key: Key) -> FunctionSource? {
      let word = place(key).pointee.load(ordering: .acquiring)
      guard let pointer = UnsafeRawPointer(bitPattern: UInt(word)) else { return nil }
      let source = Unmanaged<FunctionSource>.fromOpaque(pointer).takeUnretainedValue()
      return source.key == key ? source : nil
    }

    func keep(_ source: FunctionSource, _ key: Key) {
      let pointer = Unmanaged.passUnretained(source).toOpaque()
      place(key).pointee.store(UInt64(UInt(bitPattern: pointer)), ordering: .releasing)
    }

    /// Functions begin at multiples of 16.
    private func place(_ key: Key) -> SharedWord { words + Int(key.code >> 4 & 63) }
  }

  private static func define<Context: Codable, Input: Codable, Output: Codable>(
    _ shape: BodyShape, _ code: UInt, loop: ClosureWords,
    _ context: Context.Type, _ input: Input.Type, _ output: Output.Type
  ) -> Result<FunctionDefinition, FunctionProblem> {
    let bytes = ByteBuffer(capacity: 256)
    bytes.append(shape.rawValue)
    do {
      try FunctionName.append(.init(code: code, context: 0), at: nil, [context, input, output], to: bytes)
    } catch { return .failure(error) }
    // A loop with a context is one that the compiler could not specialise (a debug build): the worker then
    // runs its own, generic one.
    if loop.context == 0, loop.code != 0, let place = CodeReference(loop.code) {
      bytes.append(UInt8(1))
      place.append(to: bytes)
    } else {
      bytes.append(UInt8(0))
    }
    return .success(
      FunctionDefinition(
        bytes: bytes, carriesContext: false, strides: strides(shape, Input.self, Output.self),
        takesRawArray: WireType(Input.self).arrayStride != nil))
  }

  /// The strides of inputs and outputs if elements can travel as runs of plain memory.
  package static func strides<Input: Codable, Output: Codable>(
    _ shape: BodyShape, _ input: Input.Type, _ output: Output.Type
  ) -> (input: Int, output: Int)? {
    guard !shape.isAsync, isAlignedRaw(input), isAlignedRaw(output) else { return nil }
    return (MemoryLayout<Input>.stride, MemoryLayout<Output>.stride)
  }

  /// Whether a type is plain memory that lies well enough where elements of a run do.
  private static func isAlignedRaw<T: Codable>(_ type: T.Type) -> Bool {
    WireType(type).rawSize != nil && MemoryLayout<T>.alignment <= _RawRun.alignment
      && (1...4096).contains(MemoryLayout<T>.stride)
  }
}

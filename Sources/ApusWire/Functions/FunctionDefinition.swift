import ApusSystem
import Synchronization

/// A function as a pool's engine sees it: a number, and bytes that tell a worker what it is.
package final class FunctionDefinition: Sendable {
  /// Unique in this process, for as long as it can run: 64 bits.
  package let id: UInt64
  /// What the worker's program makes a runner from.
  package let bytes: ByteBuffer
  /// Whether `bytes` hold a context value, so that a worker should not keep many of them.
  package let carriesContext: Bool
  /// The strides of inputs and outputs that travel as plain memory; nil if either does not.
  package let strides: (input: Int, output: Int)?

  /// Whether an argument is an array of plain memory.
  package let takesRawArray: Bool

  package init(
    bytes: ByteBuffer, carriesContext: Bool, strides: (input: Int, output: Int)?, takesRawArray: Bool = false
  ) {
    self.takesRawArray = takesRawArray
    id = Self.numbers.add(1, ordering: .relaxed).newValue
    (self.bytes, self.carriesContext, self.strides) = (bytes, carriesContext, strides)
    watchers = carriesContext && bytes.count > Self.small ? Locked([]) : nil
  }

  deinit { watchers?.withLock { for watcher in $0 { watcher.notice?.post() } } }

  /// Has `notice` posted once nobody can call the function any more, if it is a large one.
  package func whenUnused(_ notice: UnusedNotice) {
    watchers?.withLock { watchers in
      if watchers.contains(where: { $0.notice === notice }) { return }
      watchers.removeAll { $0.notice == nil }  // of pools that are gone
      watchers.append(Watcher(notice: notice))
    }
  }

  private struct Watcher: Sendable { weak let notice: UnusedNotice? }
  /// Nil for a small one: of those a worker keeps the last few.
  private let watchers: Locked<[Watcher]>?
  private static let small = 64 << 10

  private static let numbers = Atomic<UInt64>(0)

  /// As if `count` more functions had been made, for tests of a program that runs for long.
  package static func skipNumbers(_ count: UInt64) { numbers.add(count, ordering: .relaxed) }
}

/// Makes the definition of a Swift function, or says why there can be none.
@usableFromInline
package final class FunctionSource: Sendable {
  /// How its arguments and results travel.
  let codecs: AnyFunctionCodecs
  private let plain: Result<FunctionDefinition, FunctionProblem>
  private let encodeContext: (@Sendable (ByteBuffer) throws -> Void)?
  private let bound = Locked<FunctionDefinition?>(nil)

  private init(
    _ plain: Result<FunctionDefinition, FunctionProblem>, _ codecs: AnyFunctionCodecs,
    context: (@Sendable (ByteBuffer) throws -> Void)? = nil
  ) {
    (self.plain, self.codecs, encodeContext) = (plain, codecs, context)
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
    return known.withLock { known in
      if let source = known[key] { return source }
      let made = FunctionSource(
        define(shape, body.code, loop: loop, Context.self, Input.self, Output.self),
        FunctionCodecs<Input, Output>())
      known[key] = made
      return made
    }
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

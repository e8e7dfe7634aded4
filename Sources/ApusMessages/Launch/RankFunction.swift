import ApusWire

/// A function of this program that each rank of `withRanks` runs.
///
/// `withRanks` takes a body directly, and makes one of these from it. Make one yourself to store it, or to hand it on
/// through a function of your own:
///
/// ```swift
/// let simulation = RankFunction(with: parameters) { parameters, world in try simulate(parameters, world) }
/// func best<Value>(_ function: RankFunction<Value>) throws -> [Value] { … }
/// ```
///
/// What `RemoteFunction` says of bodies holds here too: a rank is another process, in which `main` does not run, so a
/// body can't capture values of the code around it.
public struct RankFunction<Output: Sendable>: Sendable {
  private let name: Result<ByteBuffer, FunctionProblem>
  private let encodeContext: (@Sendable (ByteBuffer) throws -> Void)?

  /// Names a function.
  public init(
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Communicator) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.init(making: body, CallPlace(fileID, line))
  }

  /// Names an asynchronous function.
  public init(
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Communicator) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.init(making: body, CallPlace(fileID, line))
  }

  /// Names a function that takes a value as well, sent once to each rank.
  public init<Context: Codable & Sendable>(
    with context: Context,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Communicator) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.init(with: context, making: body, CallPlace(fileID, line))
  }

  /// Names an asynchronous function that takes a value as well, sent once to each rank.
  public init<Context: Codable & Sendable>(
    with context: Context,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Communicator) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.init(with: context, making: body, CallPlace(fileID, line))
  }

  // MARK: From the closure behind an autoclosure, which must be handed on as it is

  init(
    making body: @escaping @Sendable () -> @Sendable (Communicator) throws -> Output, _ place: CallPlace
  ) {
    self.init(.plain, unsafeBitCast(RankBody(make: body), to: ClosureWords.self), place, [])
  }

  init(
    making body: @escaping @Sendable () -> @Sendable (Communicator) async throws -> Output, _ place: CallPlace
  ) {
    self.init(.async, unsafeBitCast(AsyncRankBody(make: body), to: ClosureWords.self), place, [])
  }

  init<Context: Codable & Sendable>(
    with context: Context,
    making body: @escaping @Sendable () -> @Sendable (Context, Communicator) throws -> Output,
    _ place: CallPlace
  ) {
    let words = unsafeBitCast(ContextRankBody(make: body), to: ClosureWords.self)
    self.init(.context, words, place, [Context.self]) { try ValueCodec<Context>().encode(context, into: $0) }
  }

  init<Context: Codable & Sendable>(
    with context: Context,
    making body: @escaping @Sendable () -> @Sendable (Context, Communicator) async throws -> Output,
    _ place: CallPlace
  ) {
    let words = unsafeBitCast(AsyncContextRankBody(make: body), to: ClosureWords.self)
    self.init(.asyncContext, words, place, [Context.self]) {
      try ValueCodec<Context>().encode(context, into: $0)
    }
  }

  private init(
    _ shape: RankShape, _ body: ClosureWords, _ place: CallPlace, _ context: [Any.Type],
    _ encodeContext: (@Sendable (ByteBuffer) throws -> Void)? = nil
  ) {
    name = Result { () throws(FunctionProblem) in
      let bytes = ByteBuffer(capacity: 256)
      bytes.append(shape.rawValue)
      try FunctionName.append(body, at: place, [Output.self] + context, to: bytes)
      return bytes
    }
    self.encodeContext = encodeContext
  }

  /// What a rank is told: which function, and the context value. Throws `MessageError`.
  func definition() throws -> ByteBuffer {
    guard RankOutput<Output>.canTravel else {
      throw MessageError(
        .functionNotNameable,
        "the body gives a \(Output.self), which can't come back from another process. Make it Codable, or let the "
          + "body give nothing.")
    }
    let bytes = ByteBuffer(capacity: 256)
    do { bytes.append(contentsOf: try name.get().bytes) } catch {
      throw MessageError(.functionNotNameable, "\(error)", underlying: error)
    }
    do { try encodeContext?(bytes) } catch {
      throw MessageError(
        .notEncodable, "the value for the ranks could not be encoded: \(error)", underlying: error)
    }
    return bytes
  }
}

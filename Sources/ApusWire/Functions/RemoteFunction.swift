/// A function of this program that another process running the same program can be asked to call.
///
/// Every call of a pool takes a body directly, and makes one of these from it. Make one yourself to store
/// it, or to hand it on through a function of your own:
///
/// ```swift
/// let parsed = RemoteFunction(parse)
/// func mapTwice<A, B>(_ inputs: [A], _ function: RemoteFunction<A, B>) async throws -> [B] { … }
/// ```
///
/// The body is any function of the program: a global or static function, a closure, a key path. It runs in
/// another process, so it can't capture values of the code around it: pass them with `with:`, once to each
/// worker. (A constant that an optimising build has put into the body is no longer captured: what a debug build refuses
/// may work in release. Don't count on it.) In a worker, `main` has not run. Global variables and `static let`s are
/// there, evaluated anew, but variables at the top level of a `main.swift` are zero. `CommandLine.arguments` and the
/// environment are the program's own.
///
/// A worker begins with no signal blocked, and with those ignored that were when the program was started (as by `nohup`;
/// SIGCHLD and SIGPIPE never), whatever the program has set since: all workers are alike, whenever they start. What an asynchronous body starts after
/// an `await` may find signals blocked, as anywhere in Swift on Linux: Dispatch blocks them on its threads.
///
/// A function that returns nothing is a `RemoteFunction<Input, Void>`; every other result is `Codable`.
///
/// A body that can't be named (it captures values, or its types are private *and* generic) makes each call
/// that uses it throw an error which says so.
public struct RemoteFunction<Input: Codable & Sendable, Output: Sendable>: Sendable {
  /// The body as this process calls it: for pools without workers.
  package enum Local: Sendable {
    case plain(@Sendable () -> @Sendable (Input) throws -> Output)
    case async(@Sendable () -> @Sendable (Input) async throws -> Output)
  }

  package let source: FunctionSource
  package let local: Local
}

extension RemoteFunction where Output: Codable {
  /// How its arguments and results travel.
  package var codecs: FunctionCodecs<Input, Output> {
    // Every initialiser makes the source for these very types.
    unsafeDowncast(source.codecs, to: FunctionCodecs<Input, Output>.self)
  }

  /// Names a function.
  @inlinable
  public init(
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.init(_making: body, fileID, line)
  }

  /// Names an asynchronous function. A worker runs one call of it at a time, as of any other.
  @inlinable
  public init(
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.init(_making: body, fileID, line)
  }

  /// Names a function that takes a context value as well, sent once to each worker.
  ///
  /// Workers keep the value, decoded, for as long as the function, or a copy of it, is kept: for all its calls. (Of many
  /// functions with a context a worker keeps four, and is sent the value again when it needs another.)
  @inlinable
  public init<Context: Codable & Sendable>(
    with context: Context,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.init(_with: context, making: body, fileID, line)
  }

  /// Names an asynchronous function that takes a context value as well, sent once to each worker.
  @inlinable
  public init<Context: Codable & Sendable>(
    with context: Context,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.init(_with: context, making: body, fileID, line)
  }

  // MARK: For interfaces that take a body and hand it on

  // An autoclosure must be handed on as it is: called inside of another autoclosure, it would be captured.

  /// Names a function from the closure behind an autoclosure parameter.
  @inlinable
  public init(
    _making body: @escaping @Sendable () -> @Sendable (Input) throws -> Output,
    _ fileID: StaticString = #fileID, _ line: UInt = #line
  ) {
    let loop: @Sendable (_RawRun, UInt) throws -> Void = { run, code in
      let body = unsafeBitCast(ClosureWords(code: code, context: 0), to: PlainBody<Input, Output>.self)
      try run.forEach(body.make())
    }
    // Where the optimiser sees which body it is, it makes a function of this that needs no context, for this body
    // alone: no call by pointer is left in it, and a small body lies inside the loop.
    let own: @Sendable (_RawRun, UInt) throws -> Void = { run, _ in try run.forEach(body()) }
    let ownWords = unsafeBitCast(RawLoop(own), to: ClosureWords.self)
    self.init(
      plain: body, words: unsafeBitCast(PlainBody(body), to: ClosureWords.self),
      loop: ownWords.context == 0 ? ownWords : unsafeBitCast(RawLoop(loop), to: ClosureWords.self),
      at: CallPlace(fileID, line))
  }

  /// Names an asynchronous function from the closure behind an autoclosure parameter.
  @inlinable
  public init(
    _making body: @escaping @Sendable () -> @Sendable (Input) async throws -> Output,
    _ fileID: StaticString = #fileID, _ line: UInt = #line
  ) {
    self.init(
      async: body, words: unsafeBitCast(AsyncBody(body), to: ClosureWords.self),
      at: CallPlace(fileID, line))
  }

  /// Names a function with a context from the closure behind an autoclosure parameter.
  @inlinable
  public init<Context: Codable & Sendable>(
    _with context: Context,
    making body: @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output,
    _ fileID: StaticString = #fileID, _ line: UInt = #line
  ) {
    self.init(
      context: context, plain: body, words: unsafeBitCast(ContextBody(body), to: ClosureWords.self),
      at: CallPlace(fileID, line))
  }

  /// Names a function with a context from the closure behind an autoclosure parameter.
  @inlinable
  public init<Context: Codable & Sendable>(
    _with context: Context,
    making body: @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output,
    _ fileID: StaticString = #fileID, _ line: UInt = #line
  ) {
    self.init(
      context: context, async: body, words: unsafeBitCast(AsyncContextBody(body), to: ClosureWords.self),
      at: CallPlace(fileID, line))
  }

  // MARK: What the initialisers above come to

  @usableFromInline
  init(
    plain body: @escaping @Sendable () -> @Sendable (Input) throws -> Output, words: ClosureWords,
    loop: ClosureWords, at place: CallPlace
  ) {
    source = .of(.plain, words, loop: loop, at: place, NoContext.self, Input.self, Output.self)
    local = .plain(body)
  }

  @usableFromInline
  init(
    async body: @escaping @Sendable () -> @Sendable (Input) async throws -> Output, words: ClosureWords,
    at place: CallPlace
  ) {
    source = .of(
      .async, words, loop: .init(code: 0, context: 0), at: place, NoContext.self, Input.self, Output.self)
    local = .async(body)
  }

  @usableFromInline
  init<Context: Codable & Sendable>(
    context: Context, plain body: @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output,
    words: ClosureWords, at place: CallPlace
  ) {
    source = .of(
      .context, words, loop: .init(code: 0, context: 0), at: place, Context.self, Input.self, Output.self
    )
    .binding { try ValueCodec<Context>().encode(context, into: $0) }
    local = .plain {
      let function = body()
      return { try function(context, $0) }
    }
  }

  @usableFromInline
  init<Context: Codable & Sendable>(
    context: Context, async body: @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output,
    words: ClosureWords, at place: CallPlace
  ) {
    source = .of(
      .asyncContext, words, loop: .init(code: 0, context: 0), at: place, Context.self, Input.self, Output.self
    )
    .binding { try ValueCodec<Context>().encode(context, into: $0) }
    local = .async {
      let function = body()
      return { try await function(context, $0) }
    }
  }
}

/// The context of a function that takes none.
struct NoContext: Codable, Sendable {}

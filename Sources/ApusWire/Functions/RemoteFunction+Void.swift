/// What a function that returns nothing returns to another process: `Void` itself can't conform to `Codable`.
@usableFromInline
package struct Nothing: RawCodable {
  // Not without any memory: nothing then has to know that values may have none.
  @usableFromInline var byte: UInt8 = 0
  @usableFromInline package init() {}
}

extension RemoteFunction where Output == Void {
  /// The function as it travels.
  package var returningNothing: RemoteFunction<Input, Nothing> {
    switch local {
    case .plain(let body):
      RemoteFunction<Input, Nothing>(
        source: source,
        local: .plain {
          let function = body()
          return { input in
            try function(input)
            return Nothing()
          }
        })
    case .async(let body):
      RemoteFunction<Input, Nothing>(
        source: source,
        local: .async {
          let function = body()
          return { input in
            try await function(input)
            return Nothing()
          }
        })
    }
  }
}

/// Functions that take nothing and return nothing.
extension RemoteFunction where Input == Nothing, Output == Nothing {
  package init(action body: @escaping @Sendable () -> @Sendable () throws -> Void, at place: CallPlace) {
    source = .of(
      .action, unsafeBitCast(ActionBody(make: body), to: ClosureWords.self), loop: .init(code: 0, context: 0),
      at: place, NoContext.self, Nothing.self, Nothing.self)
    local = .plain {
      let function = body()
      return { _ in
        try function()
        return Nothing()
      }
    }
  }

  package init(
    action body: @escaping @Sendable () -> @Sendable () async throws -> Void, at place: CallPlace
  ) {
    source = .of(
      .asyncAction, unsafeBitCast(AsyncActionBody(make: body), to: ClosureWords.self),
      loop: .init(code: 0, context: 0), at: place, NoContext.self, Nothing.self, Nothing.self)
    local = .async {
      let function = body()
      return { _ in
        try await function()
        return Nothing()
      }
    }
  }
}

/// Functions that return nothing. Their bodies have shapes of their own: where a generic result stands for `Void`, the
/// compiler puts a closure of its own around the body, which has no place in the program that names it.
extension RemoteFunction where Output == Void {
  /// Names a function that returns nothing.
  @inlinable
  public init(
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.init(_making: body, fileID, line)
  }

  /// Names an asynchronous function that returns nothing. A worker runs one call of it at a time, as of any other.
  @inlinable
  public init(
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.init(_making: body, fileID, line)
  }

  /// Names a function that returns nothing and takes a context value as well, sent once to each worker.
  ///
  /// Workers keep the value, decoded, for as long as the function, or a copy of it, is kept: for all its calls. (Of many
  /// functions with a context a worker keeps four, and is sent the value again when it needs another.)
  @inlinable
  public init<Context: Codable & Sendable>(
    with context: Context,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.init(_with: context, making: body, fileID, line)
  }

  /// Names an asynchronous function that returns nothing and takes a context value as well, sent once to each worker.
  @inlinable
  public init<Context: Codable & Sendable>(
    with context: Context,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Void,
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    self.init(_with: context, making: body, fileID, line)
  }

  // MARK: For interfaces that take a body and hand it on

  /// Names a function from the closure behind an autoclosure parameter.
  @inlinable
  public init(
    _making body: @escaping @Sendable () -> @Sendable (Input) throws -> Void,
    _ fileID: StaticString = #fileID, _ line: UInt = #line
  ) {
    let loop: @Sendable (_RawRun, UInt) throws -> Void = { run, code in
      let function = unsafeBitCast(ClosureWords(code: code, context: 0), to: VoidBody<Input>.self).make()
      try run.forEach { (input: Input) throws -> Nothing in
        try function(input)
        return Nothing()
      }
    }
    // As for a function that returns a value.
    let own: @Sendable (_RawRun, UInt) throws -> Void = { run, _ in
      let function = body()
      try run.forEach { (input: Input) throws -> Nothing in
        try function(input)
        return Nothing()
      }
    }
    let ownWords = unsafeBitCast(RawLoop(own), to: ClosureWords.self)
    self.init(
      plain: body, words: unsafeBitCast(VoidBody(body), to: ClosureWords.self),
      loop: ownWords.context == 0 ? ownWords : unsafeBitCast(RawLoop(loop), to: ClosureWords.self),
      at: CallPlace(fileID, line))
  }

  /// Names an asynchronous function from the closure behind an autoclosure parameter.
  @inlinable
  public init(
    _making body: @escaping @Sendable () -> @Sendable (Input) async throws -> Void,
    _ fileID: StaticString = #fileID, _ line: UInt = #line
  ) {
    self.init(
      async: body, words: unsafeBitCast(AsyncVoidBody(body), to: ClosureWords.self),
      at: CallPlace(fileID, line))
  }

  /// Names a function with a context from the closure behind an autoclosure parameter.
  @inlinable
  public init<Context: Codable & Sendable>(
    _with context: Context,
    making body: @escaping @Sendable () -> @Sendable (Context, Input) throws -> Void,
    _ fileID: StaticString = #fileID, _ line: UInt = #line
  ) {
    self.init(
      context: context, plain: body, words: unsafeBitCast(ContextVoidBody(body), to: ClosureWords.self),
      at: CallPlace(fileID, line))
  }

  /// Names a function with a context from the closure behind an autoclosure parameter.
  @inlinable
  public init<Context: Codable & Sendable>(
    _with context: Context,
    making body: @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Void,
    _ fileID: StaticString = #fileID, _ line: UInt = #line
  ) {
    self.init(
      context: context, async: body, words: unsafeBitCast(AsyncContextVoidBody(body), to: ClosureWords.self),
      at: CallPlace(fileID, line))
  }

  // MARK: What the initialisers above come to

  @usableFromInline
  init(
    plain body: @escaping @Sendable () -> @Sendable (Input) throws -> Void, words: ClosureWords,
    loop: ClosureWords, at place: CallPlace
  ) {
    source = .of(.void, words, loop: loop, at: place, NoContext.self, Input.self, Nothing.self)
    local = .plain(body)
  }

  @usableFromInline
  init(
    async body: @escaping @Sendable () -> @Sendable (Input) async throws -> Void, words: ClosureWords,
    at place: CallPlace
  ) {
    source = .of(
      .asyncVoid, words, loop: .init(code: 0, context: 0), at: place, NoContext.self, Input.self, Nothing.self
    )
    local = .async(body)
  }

  @usableFromInline
  init<Context: Codable & Sendable>(
    context: Context, plain body: @escaping @Sendable () -> @Sendable (Context, Input) throws -> Void,
    words: ClosureWords, at place: CallPlace
  ) {
    source = .of(
      .contextVoid, words, loop: .init(code: 0, context: 0), at: place, Context.self, Input.self, Nothing.self
    )
    .binding { try ValueCodec<Context>().encode(context, into: $0) }
    local = .plain {
      let function = body()
      return { try function(context, $0) }
    }
  }

  @usableFromInline
  init<Context: Codable & Sendable>(
    context: Context, async body: @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Void,
    words: ClosureWords, at place: CallPlace
  ) {
    source = .of(
      .asyncContextVoid, words, loop: .init(code: 0, context: 0), at: place, Context.self, Input.self,
      Nothing.self
    )
    .binding { try ValueCodec<Context>().encode(context, into: $0) }
    local = .async {
      let function = body()
      return { try await function(context, $0) }
    }
  }
}

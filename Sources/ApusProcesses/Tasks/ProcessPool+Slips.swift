import ApusWire

// Slips that the compiler has no words for, or misleading ones: each has a form of the call that can't be used, whose
// message says what is meant. Their parameters are those of the right call, so that no right call is in doubt.

extension ProcessPool {
  /// A body that takes one value beside a context.
  @available(
    *, unavailable,
    message: "with `with:` a body takes two values, the context first: { context, input in … }"
  )
  public func map<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    _ inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output
  ) async throws -> [Output] { fatalError() }

  /// A time limit by another name.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func map<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeout: Duration?, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output
  ) async throws -> [Output] { fatalError() }

  /// A time limit by another name, beside a context.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func map<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    _ inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeout: Duration?,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output
  ) async throws -> [Output] { fatalError() }

  /// A body that takes one value beside a context.
  @available(
    *, unavailable,
    message: "with `with:` a body takes two values, the context first: { context, input in … }"
  )
  public func forEach<
    Inputs: Sequence<Input>, Input: Codable & Sendable,
    Context: Codable & Sendable
  >(
    _ inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Void
  ) async throws { fatalError() }

  /// A time limit by another name.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func forEach<Inputs: Sequence<Input>, Input: Codable & Sendable>(
    _ inputs: Inputs, chunking: Chunking = .automatic, timeout: Duration?, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Void
  ) async throws { fatalError() }

  /// A time limit by another name, beside a context.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func forEach<
    Inputs: Sequence<Input>, Input: Codable & Sendable,
    Context: Codable & Sendable
  >(
    _ inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeout: Duration?,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Void
  ) async throws { fatalError() }

  /// A body that takes one value beside a context.
  @available(
    *, unavailable,
    message: "with `with:` a body takes two values, the context first: { context, input in … }"
  )
  public func outcomes<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    of inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeLimit: Duration? = nil,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output
  ) async -> [Result<Output, TaskError>] { fatalError() }

  /// A time limit by another name.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func outcomes<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    of inputs: Inputs, chunking: Chunking = .automatic, timeout: Duration?, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output
  ) async -> [Result<Output, TaskError>] { fatalError() }

  /// A time limit by another name, beside a context.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func outcomes<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    of inputs: Inputs, with context: Context, chunking: Chunking = .automatic, timeout: Duration?,
    retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output
  ) async -> [Result<Output, TaskError>] { fatalError() }

  /// A body that takes one value beside a context.
  @available(
    *, unavailable,
    message: "with `with:` a body takes two values, the context first: { context, input in … }"
  )
  public func results<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    of inputs: Inputs, with context: Context, order: ResultOrder = .input, window: Int? = nil,
    chunking: Chunking = .automatic, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output
  ) -> TaskResults<Output> { fatalError() }

  /// A time limit by another name.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func results<Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable>(
    of inputs: Inputs, order: ResultOrder = .input, window: Int? = nil, chunking: Chunking = .automatic,
    timeout: Duration?, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output
  ) -> TaskResults<Output> { fatalError() }

  /// A time limit by another name, beside a context.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func results<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Output: Codable & Sendable,
    Context: Codable & Sendable
  >(
    of inputs: Inputs, with context: Context, order: ResultOrder = .input, window: Int? = nil,
    chunking: Chunking = .automatic, timeout: Duration?, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output
  ) -> TaskResults<Output> { fatalError() }

  /// A body that takes one value beside a context.
  @available(
    *, unavailable,
    message: "with `with:` a body takes two values, the context first: { context, input in … }"
  )
  public func run<Input: Codable & Sendable, Output: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output
  ) async throws -> Output { fatalError() }

  /// A time limit by another name.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func run<Input: Codable & Sendable, Output: Codable & Sendable>(
    _ input: Input, timeout: Duration?, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output
  ) async throws -> Output { fatalError() }

  /// A time limit by another name, beside a context.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func run<Input: Codable & Sendable, Output: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeout: Duration?, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output
  ) async throws -> Output { fatalError() }

  /// A body that takes one value beside a context.
  @available(
    *, unavailable,
    message: "with `with:` a body takes two values, the context first: { context, input in … }"
  )
  public func submit<Input: Codable & Sendable, Output: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output
  ) -> TaskHandle<Output> { fatalError() }

  /// A time limit by another name.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func submit<Input: Codable & Sendable, Output: Codable & Sendable>(
    _ input: Input, timeout: Duration?, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output
  ) -> TaskHandle<Output> { fatalError() }

  /// A time limit by another name, beside a context.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func submit<Input: Codable & Sendable, Output: Codable & Sendable, Context: Codable & Sendable>(
    _ input: Input, with context: Context, timeout: Duration?, retries: Int? = nil,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output
  ) -> TaskHandle<Output> { fatalError() }

  /// A body that takes one value beside a context.
  @available(
    *, unavailable,
    message: "with `with:` a body takes two values, the context first: { context, input in … }"
  )
  public func first<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue, Context: Codable & Sendable
  >(
    in inputs: Inputs, with context: Context, timeLimit: Duration? = nil, retries: Int? = nil,
    where body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Answer
  ) async throws -> Input? { fatalError() }

  /// A time limit by another name.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func first<Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue>(
    in inputs: Inputs, timeout: Duration?, retries: Int? = nil,
    where body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Answer
  ) async throws -> Input? { fatalError() }

  /// A time limit by another name, beside a context.
  @available(*, unavailable, message: "the limit is called timeLimit")
  public func first<
    Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue, Context: Codable & Sendable
  >(
    in inputs: Inputs, with context: Context, timeout: Duration?, retries: Int? = nil,
    where body: @autoclosure @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Answer
  ) async throws -> Input? { fatalError() }
}

extension RemoteFunction {
  /// A body that takes one value beside a context.
  @available(
    *, unavailable,
    message: "with `with:` a body takes two values, the context first: { context, input in … }"
  )
  public init<Context: Codable & Sendable>(
    with context: Context,
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) async throws -> Output
  ) { fatalError() }
}

/// The number of workers without its label.
@available(*, unavailable, message: "the number of workers has a label: withProcessPool(workers: 2)")
@discardableResult
public func withProcessPool<Result>(
  _ workers: Int, configuration: ProcessPool.Configuration = .init(),
  _ body: (ProcessPool) async throws -> Result
) async throws -> Result { fatalError() }

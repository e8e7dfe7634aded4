import ApusEngine
import ApusWire

/// The results of a call, handed out as they come: see `ProcessPool.results`.
///
/// Can be gone through once, by one task or thread at a time.
public final class TaskResults<Output: Codable & Sendable>: AsyncSequence {
  /// A result, as `for try await` hands it out.
  public typealias Element = Output

  /// What became of a task, and the index of its input.
  public struct Outcome: Sendable {
    /// The index of the task's input.
    public let index: Int
    /// What the task came to.
    public let result: Result<Output, TaskError>

    init(_ index: Int, _ result: Result<Output, TaskError>) { (self.index, self.result) = (index, result) }
  }

  /// One round of the caller's work, made when the first result is asked for.
  private enum Source {
    case engine(PoolEngine, EngineJob, step: (ResultBuffer<Output>) throws -> Bool)
    case inline(next: () async -> Outcome?, blocking: () -> Outcome?)
    case failed(TaskError)
  }

  private let buffer: ResultBuffer<Output>
  private var source: Source
  private var isOver = false
  private var feeder: Task<Void, Never>?

  init<Inputs: Sequence<Input>, Input: Codable & Sendable>(
    pool: ProcessPool, function: RemoteFunction<Input, Output>, order: ResultOrder, options: CallOptions,
    inputs: Inputs
  ) {
    buffer = ResultBuffer(order)
    guard let engine = pool.engine else {
      var iterator = inputs.makeIterator()
      let draw: () -> Result<Input, any Error>? = { iterator.next().map { .success($0) } }
      source = Self.inline(pool, function, options, draw: { draw() }, blockingDraw: draw)
      return
    }
    var options = options
    options.total = Drawing.knownCount(inputs)
    source = Self.begin(pool, engine, function, options, draw: Drawing.draw(inputs))
  }

  init<Inputs: AsyncSequence & Sendable, Input: Codable & Sendable>(
    pool: ProcessPool, function: RemoteFunction<Input, Output>, order: ResultOrder, options: CallOptions,
    asynchronousInputs inputs: Inputs
  ) where Inputs.Element == Input {
    buffer = ResultBuffer(order)
    let feed = InputFeed<Input>()
    guard let engine = pool.engine else {
      source = Self.inline(
        pool, function, options, draw: { await feed.next() }, blockingDraw: { blocking { await feed.next() } }
      )
      if case .inline = source { feeder = feed.start(inputs) {} }
      return
    }
    source = Self.begin(pool, engine, function, options) { place in
      switch try feed.take() {
      case .input(let input): place.initialize(to: input)
      case .notYet: return .notYet
      case .end: return .end
      }
      return .input
    }
    if case .engine(_, let job, _) = source { feeder = feed.start(inputs) { engine.nudge(job) } }
  }

  deinit { feeder?.cancel() }

  private static func begin<Input: Codable & Sendable>(
    _ pool: ProcessPool, _ engine: PoolEngine, _ function: RemoteFunction<Input, Output>,
    _ options: CallOptions, draw: @escaping InputDraw<Input>
  ) -> Source {
    var options = options
    options.window = options.window ?? 8 * engine.configuration.workers
    do {
      let call = try TypedCall(engine, function, options, defaults: pool.configuration, draw: draw)
      return .engine(engine, call.job) { [pool] buffer in
        // The pool lives for as long as its results are wanted.
        withExtendedLifetime(pool) {
          call.collect(buffer.add)
          call.held = buffer.held
          call.refill { buffer.add($0, .failure($1)) }
          return call.isFinished
        }
      }
    } catch { return .failed(TaskError(beginning: error)) }
  }

  private static func inline<Input: Codable & Sendable>(
    _ pool: ProcessPool, _ function: RemoteFunction<Input, Output>, _ options: CallOptions,
    draw: @escaping () async -> Result<Input, any Error>?,
    blockingDraw: @escaping () -> Result<Input, any Error>?
  ) -> Source {
    do {
      let call = try InlineCall(function, options, pool)
      var index = -1
      return .inline(
        next: {
          index += 1
          return switch await draw() {
          case .success(let input)?: Outcome(index, await call.run(input, task: index))
          case .failure(let error)?: Outcome(index, .failure(TaskError(drawing: error, task: index)))
          case nil: nil
          }
        },
        blocking: {
          index += 1
          return switch blockingDraw() {
          case .success(let input)?: Outcome(index, call.runBlocking(input, task: index))
          case .failure(let error)?: Outcome(index, .failure(TaskError(drawing: error, task: index)))
          case nil: nil
          }
        })
    } catch { return .failed(TaskError(beginning: error)) }
  }

  // MARK: Going through them

  /// The next result as it turned out, with its input's index; nil after the last.
  ///
  /// A task that failed is an outcome like any other, and the ones after it follow. If the caller's task is
  /// cancelled, the rest is dropped.
  public func nextOutcome() async -> Outcome? {
    while !isOver {
      switch source {
      case .failed(let error):
        isOver = true
        return Outcome(0, .failure(error))
      case .inline(let next, _):
        if !Task.isCancelled, let outcome = await next(), !wasDropped(outcome) { return outcome }
      case .engine(let engine, let job, let step):
        if let outcome = buffer.take() { return outcome }
        if Task.isCancelled { break }
        let isFinished = (try? step(buffer)) ?? true
        await engine.outputIsSettled()
        if let outcome = buffer.take() { return outcome }
        if !isFinished {
          if !engine.isSoon(job) { await engine.suspend(for: job) }
          continue
        }
      }
      end()
    }
    return nil
  }

  /// The blocking form of `nextOutcome`.
  @available(*, noasync, message: "await the asynchronous form")
  public func nextOutcome() -> Outcome? {
    while !isOver {
      switch source {
      case .failed(let error):
        isOver = true
        return Outcome(0, .failure(error))
      case .inline(_, let next):
        if let outcome = next() { return outcome }
      case .engine(let engine, let job, let step):
        if let outcome = buffer.take() { return outcome }
        let isFinished = (try? step(buffer)) ?? true
        engine.settleOutput()
        if let outcome = buffer.take() { return outcome }
        if !isFinished {
          engine.wait(for: job)
          continue
        }
      }
      end()
    }
    return nil
  }

  /// The next result; nil after the last. Blocks until it is there.
  ///
  /// Throws the `TaskError` of a task that failed; nothing comes after it.
  @available(*, noasync, message: "use `for try await`")
  public func next() throws -> Output? {
    guard let outcome = nextOutcome() else { return nil }
    return try value(outcome)
  }

  /// Whether a task was not even begun because the caller's was cancelled by then: one of the rest, that is dropped.
  private func wasDropped(_ outcome: Outcome) -> Bool {
    guard Task.isCancelled, case .failure(let error) = outcome.result else { return false }
    return error.code == .cancelled
  }

  private func value(_ outcome: Outcome) throws -> Output {
    if case .failure = outcome.result { end() }
    return try outcome.result.get()
  }

  /// Drops what is not handed out yet, and with it the engine's job.
  private func end() {
    isOver = true
    feeder?.cancel()
    source = .failed(TaskError(.cancelled, ""))
  }

  /// Goes through the results: see `TaskResults`.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let results: TaskResults

    /// The next result; nil after the last. Throws the error of a task that failed, and
    /// `CancellationError` if the caller's task was cancelled.
    public mutating func next() async throws -> Output? { try await next(isolation: #isolation) }

    /// The same on the caller's actor, where lazy inputs may have to be drawn: what `for try await` calls.
    public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Output? {
      guard let outcome = await results.nextOutcome() else {
        try Task.checkCancellation()
        return nil
      }
      return try results.value(outcome)
    }
  }

  /// What `for try await` goes through the results with; there is one way through them, however many are made.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(results: self) }
}

/// Results that have come and are not handed out yet.
final class ResultBuffer<Output: Codable & Sendable> {
  typealias Outcome = TaskResults<Output>.Outcome

  private let order: ResultOrder
  private var ready: [Outcome?] = []
  private var head = 0
  private var early: [Int: Result<Output, TaskError>] = [:]
  private var next = 0

  init(_ order: ResultOrder) { self.order = order }

  /// How many there are.
  var held: Int { ready.count - head + early.count }

  func add(_ index: Int, _ result: Result<Output, TaskError>) {
    guard order == .input else { return ready.append(Outcome(index, result)) }
    early[index] = result
    while let result = early.removeValue(forKey: next) {
      ready.append(Outcome(next, result))
      next += 1
    }
  }

  func take() -> Outcome? {
    guard head < ready.count else { return nil }
    defer {
      ready[head] = nil
      head += 1
      if head == ready.count {
        ready.removeAll(keepingCapacity: true)
        head = 0
      }
    }
    return ready[head]
  }
}

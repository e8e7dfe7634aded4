import ApusEngine
import ApusWire
import CApus

/// One task by itself: `run` and `submit`.
///
/// The way of a single small call is as short as it can be: its codecs are those of the function
/// (`FunctionCodecs`), and if a worker is free and quick no job is made for it (`PoolEngine.call`).
struct SingleCall<Input: Codable & Sendable, Output: Codable & Sendable>: Sendable {
  let pool: ProcessPool
  let function: RemoteFunction<Input, Output>
  let timeLimit: Duration?
  let retries: Int?

  /// A task that the engine has, until its job is removed.
  struct Begun {
    let engine: PoolEngine
    let job: EngineJob
    let codecs: FunctionCodecs<Input, Output>
    let limit: Duration?

    func end() { engine.remove(job) }

    /// The value, once the job is complete.
    func value() throws -> Output {
      let inbox = engine.inbox(of: job)
      guard let delivery = inbox.deliveries.first else {
        throw TaskError(.cancelled, "the task was cancelled", task: 0)
      }
      return try SingleCall.decoded(delivery.value(in: inbox, limit: limit), job.function, codecs)
    }
  }

  @inline(__always)
  private var options: CallOptions { CallOptions(timeLimit: timeLimit, retries: retries, isEager: true) }

  func inline() throws -> InlineCall<Input, Output> {
    try InlineCall(function, options, pool)
  }

  /// Gives the task to the engine, to be waited for. Blocks while the queue is full, unless that is an error.
  func begin(_ engine: PoolEngine, _ input: Input) throws -> Begun {
    let (job, batch) = try prepare(input)
    while !engine.add(job, only: batch) {
      try checkWaits(job.options.endsAt)
      engine.waitForRoom(until: job.options.endsAt)
    }
    return begun(engine, job)
  }

  /// The same without blocking.
  private func beginSuspending(_ engine: PoolEngine, _ input: Input) async throws -> Begun {
    let (job, batch) = try prepare(input)
    while !engine.add(job, only: batch) {
      try checkWaits(job.options.endsAt)
      try await engine.room(until: job.options.endsAt)
    }
    return begun(engine, job)
  }

  private func prepare(_ input: Input) throws -> (EngineJob, InputBatch) {
    let definition = try TaskError.naming(function.source.definition)
    let settings = try options.forEngine(pool.configuration)
    let batch =
      try LargeArgument(input, definition)?.batch
      ?? InputBatch(only: encoded(input, definition), of: definition)
    return (EngineJob(definition, options: settings), batch)
  }

  private func checkWaits(_ end: UInt64?) throws {
    if let end, apus_now() >= end { throw TaskError(.stopped(.deadline, limit: nil), task: 0) }
    guard case .fail = pool.configuration.whenQueueIsFull else { return }
    throw TaskError(
      .queueFull,
      "\(pool.configuration.queueLimit ?? 0) tasks wait already, as many as may (`queueLimit`): the task was not taken on",
      task: 0)
  }

  /// Whether the shortest way is open: it looks at no bound.
  @inline(__always)
  private var isDirect: Bool { pool.configuration.queueLimit == nil }

  private func begun(_ engine: PoolEngine, _ job: EngineJob) -> Begun {
    Begun(
      engine: engine, job: job, codecs: function.codecs, limit: timeLimit ?? pool.configuration.timeLimit)
  }

  @inline(__always)
  func blockingValue(_ input: Input) throws -> Output {
    guard let engine = pool.engine else { return try inline().runBlocking(input, task: 0).get() }
    let definition = try TaskError.naming(function.source.definition)
    let begun: Begun
    if definition.takesRawArray || !isDirect {
      begun = try begin(engine, input)
    } else {
      let bytes = try encoded(input, definition)
      guard let job = engine.call(definition, bytes, try options.forEngine(pool.configuration)) else {
        return try Self.decoded(bytes.bytes, definition, function.codecs)
      }
      begun = self.begun(engine, job)
    }
    defer { begun.end() }
    engine.wait(for: begun.job)
    engine.settleOutput()
    return try begun.value()
  }

  func value(_ input: Input) async throws -> Output {
    guard let engine = pool.engine else { return try await inline().value(input, task: 0) }
    try Task.checkCancellation()
    let definition = try TaskError.naming(function.source.definition)
    if definition.takesRawArray || !isDirect { return try await value(of: beginSuspending(engine, input)) }
    let bytes = try encoded(input, definition)
    guard let job = engine.call(definition, bytes, try options.forEngine(pool.configuration)) else {
      return try Self.decoded(bytes.bytes, definition, function.codecs)
    }
    return try await value(of: begun(engine, job))
  }

  func value(of begun: Begun) async throws -> Output {
    defer { begun.end() }
    if !begun.engine.isSoon(begun.job) { await begun.engine.suspend(for: begun.job) }
    try Task.checkCancellation()
    await begun.engine.outputIsSettled()
    return try begun.value()
  }

  // MARK: Bytes

  @inline(__always)
  private func encoded(_ input: Input, _ definition: FunctionDefinition) throws -> ByteBuffer {
    let buffer = ByteBuffer(capacity: 64)
    do { try function.codecs.encode(input, into: buffer) } catch {
      throw TaskError(
        .argumentNotEncodable, "the argument could not be encoded: \(error)", task: 0, underlying: error)
    }
    // In a run, values of plain memory take their stride.
    if let strides = definition.strides { buffer.pad(to: strides.input) }
    return buffer
  }

  @inline(__always)
  private static func decoded(
    _ bytes: UnsafeRawBufferPointer, _ definition: FunctionDefinition, _ codecs: FunctionCodecs<Input, Output>
  ) throws -> Output {
    let size = definition.strides == nil ? bytes.count : min(bytes.count, MemoryLayout<Output>.size)
    do { return try codecs.decode(UnsafeRawBufferPointer(rebasing: bytes[..<size])) } catch {
      throw TaskError(decoding: error, task: 0)
    }
  }
}

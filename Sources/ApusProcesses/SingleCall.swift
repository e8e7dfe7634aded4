import ApusCore

/// One task by itself: `run` and `submit`.
///
/// The way of a single small call is as short as it can be: its types stay behind pointers (`FunctionCoders`),
/// and the engine's lock is taken three times.
struct SingleCall<Input: Codable & Sendable, Output: Codable & Sendable>: Sendable {
  let pool: ProcessPool
  let function: RemoteFunction<Input, Output>
  let timeLimit: Duration?
  let retries: Int?

  /// A task that the engine has, until its job is removed.
  struct Begun {
    let engine: PoolEngine
    let job: EngineJob
    let coders: FunctionCoders
    let limit: Duration?

    func end() { engine.remove(job) }

    /// The value, once the job is complete.
    func value() throws -> Output {
      var inbox = EngineJob.Inbox()
      engine.collect(job, into: &inbox)
      guard let delivery = inbox.deliveries.first else {
        throw TaskError(.cancelled, "the task was cancelled", task: 0)
      }
      var bytes = try delivery.value(in: inbox, limit: limit)
      if job.function.strides != nil { bytes = .init(rebasing: bytes.prefix(MemoryLayout<Output>.size)) }
      return try withUnsafeTemporaryAllocation(of: Output.self, capacity: 1) { result in
        do { try coders.decode(bytes, to: result.baseAddress!) } catch {
          throw TaskError(decoding: error, task: 0)
        }
        return result.moveElement(from: 0)
      }
    }
  }

  private var options: CallOptions { CallOptions(timeLimit: timeLimit, retries: retries, isEager: true) }

  func inline() throws -> InlineCall<Input, Output> {
    try InlineCall(function, options, defaults: pool.configuration)
  }

  func begin(_ engine: PoolEngine, _ input: Input) throws -> Begun {
    let definition = try TaskError.naming { try function.source.definition() }
    let coders = function.source.coders
    let job = EngineJob(definition, options: try options.forEngine(pool.configuration))
    let batch: InputBatch
    if let large = LargeArgument(input, definition) {
      batch = large.batch
    } else {
      let buffer = ByteBuffer(capacity: 64)
      do { try withUnsafePointer(to: input) { try coders.encode($0, into: buffer) } } catch {
        throw TaskError(
          .argumentNotEncodable, "the argument could not be encoded: \(error)", task: 0, underlying: error)
      }
      if let strides = definition.strides {
        buffer.pad(to: strides.input)
        batch = InputBatch(raw: buffer.baseAddress, stride: strides.input, count: 1, owner: buffer)
      } else {
        batch = InputBatch(coded: buffer, ends: [buffer.count])
      }
    }
    engine.add(job, only: batch)
    return Begun(engine: engine, job: job, coders: coders, limit: timeLimit ?? pool.configuration.timeLimit)
  }

  func blockingValue(_ input: Input) throws -> Output {
    guard let engine = pool.engine else {
      return try inline().runBlocking(input, task: 0).get()
    }
    let begun = try begin(engine, input)
    defer { begun.end() }
    engine.wait(for: begun.job)
    return try begun.value()
  }

  func value(_ input: Input) async throws -> Output {
    guard let engine = pool.engine else {
      return try await inline().value(input, task: 0)
    }
    return try await value(of: begin(engine, input))
  }

  func value(of begun: Begun) async throws -> Output {
    defer { begun.end() }
    if !begun.engine.isSoon(begun.job) { await begun.engine.suspend(for: begun.job) }
    try Task.checkCancellation()
    return try begun.value()
  }
}

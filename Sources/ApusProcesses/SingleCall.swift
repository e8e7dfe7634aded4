import ApusCore

/// One task by itself: `run` and `submit`.
struct SingleCall<Input: Codable & Sendable, Output: Codable & Sendable>: Sendable {
  let pool: ProcessPool
  let function: RemoteFunction<Input, Output>
  let timeLimit: Duration?
  let retries: Int?

  func begin(_ engine: PoolEngine, _ input: Input, isAsynchronous: Bool) throws -> TypedCall<Input, Output> {
    var rest: Input? = input
    let options = CallOptions(timeLimit: timeLimit, retries: retries, isEager: true)
    return try TypedCall(
      engine, function, options, defaults: pool.configuration, isAsynchronous: isAsynchronous,
      draw: {
        defer { rest = nil }
        return Drawn(rest)
      })
  }

  /// One round of the caller's work: the outcome, if it is there.
  func step(_ call: TypedCall<Input, Output>) -> Result<Output, TaskError>? {
    var found: Result<Output, TaskError>?
    call.collect { found = $1 }
    call.refill { found = $1 }
    return found
  }

  func blockingValue(_ input: Input) throws -> Output {
    guard let engine = pool.engine else {
      return try InlineCall(function: function).runBlocking(input, task: 0).get()
    }
    let call = try begin(engine, input, isAsynchronous: false)
    while true {
      if let outcome = step(call) { return try outcome.get() }
      engine.wait(for: call.job)
    }
  }

  func value(_ input: Input) async throws -> Output {
    guard let engine = pool.engine else {
      return try await InlineCall(function: function).run(input, task: 0).get()
    }
    return try await value(of: begin(engine, input, isAsynchronous: true), engine)
  }

  func value(of call: TypedCall<Input, Output>, _ engine: PoolEngine) async throws -> Output {
    while true {
      if let outcome = step(call) { return try outcome.get() }
      await engine.wait(suspendingFor: call.job)
      try Task.checkCancellation()
    }
  }
}

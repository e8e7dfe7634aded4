import ApusEngine
import ApusWire

/// The calls that gather every outcome: `outcomes` and, stopping at the first failure, `map`.
struct Collecting<Input: Codable & Sendable, Output: Codable & Sendable> {
  typealias Outcome = Result<Output, TaskError>

  private typealias Slots = OutcomeSlots<Output>

  let pool: ProcessPool
  let function: RemoteFunction<Input, Output>
  var options: CallOptions

  private func inline(_ inputs: some Sequence<Input>) throws -> InlineCall<Input, Output> {
    var options = options
    options.total = Drawing.knownCount(inputs)
    return try InlineCall(function, options, pool)
  }

  private func begin(_ engine: PoolEngine, _ inputs: some Sequence<Input>) throws
    -> (TypedCall<Input, Output>, Slots)
  {
    let isPlain = try TaskError.naming({ try function.source.definition() }).strides != nil
    let count = Drawing.knownCount(inputs)
    // Plain results of a known number go straight to their places.
    let plain = isPlain ? count.flatMap { PlainArray<Output>(count: $0) } : nil
    let slots = Slots(plain: plain, count: count ?? 0)
    var options = options
    options.total = count
    func call(draw: InputDraw<Input>? = nil, drawPlain: PlainDraw<Input>? = nil) throws
      -> TypedCall<Input, Output>
    {
      try TypedCall(
        engine, function, options, defaults: pool.configuration, plainResults: plain, draw: draw,
        drawPlain: drawPlain)
    }
    guard isPlain else { return (try call(draw: Drawing.draw(inputs)), slots) }
    // Plain memory both ways: no coder is called.
    guard let array = inputs as? [Input] else {
      return (try call(drawPlain: Drawing.drawPlain(inputs, limit: plain?.count ?? .max)), slots)
    }
    let whole = try call()
    let elements = ArrayElements(array)
    whole.give(plain: elements.bytes, owner: elements)
    return (whole, slots)
  }

  /// One round of the caller's work. True when all is done.
  private func step(_ call: TypedCall<Input, Output>, _ slots: Slots, stopAtFailure: Bool) throws -> Bool {
    func failed(_ index: Int, _ error: TaskError) throws {
      if stopAtFailure { throw error }
      slots.settle(index, error)
    }
    try call.collect(into: slots, failed)
    try call.refill(failed)
    return call.isFinished
  }

  // MARK: Asynchronous

  func values(_ inputs: some Sequence<Input>) async throws -> [Output] {
    guard let engine = pool.engine else {
      let call = try inline(inputs)
      var values: [Output] = []
      for input in inputs { values.append(try await call.value(input, task: values.count)) }
      return values
    }
    let (call, slots) = try begin(engine, inputs)
    do {
      while try !step(call, slots, stopAtFailure: true) {
        if !engine.isSoon(call.job) { await engine.suspend(for: call.job) }
        try Task.checkCancellation()
      }
    } catch {
      await engine.outputIsSettled()
      throw error
    }
    await engine.outputIsSettled()
    return slots.values(call.drawn)
  }

  func outcomes(_ inputs: some Sequence<Input>) async -> [Outcome] {
    guard let engine = pool.engine else {
      do {
        let call = try inline(inputs)
        var outcomes: [Outcome] = []
        for input in inputs { outcomes.append(await call.run(input, task: outcomes.count)) }
        return outcomes
      } catch { return failed(inputs, error) }
    }
    do {
      var cancellable = self
      cancellable.options.keepsPlaces = true
      let (call, slots) = try cancellable.begin(engine, inputs)
      while try !step(call, slots, stopAtFailure: false) {
        if !engine.isSoon(call.job) { await engine.suspend(for: call.job) }
        if Task.isCancelled { return cancelled(call, slots, count: Drawing.knownCount(inputs) ?? 0) }
      }
      await engine.outputIsSettled()
      return slots.outcomes(call.drawn)
    } catch { return failed(inputs, error) }
  }

  // MARK: Blocking

  func blockingValues(_ inputs: some Sequence<Input>) throws -> [Output] {
    guard let engine = pool.engine else {
      let call = try inline(inputs)
      var values: [Output] = []
      for input in inputs { values.append(try call.runBlocking(input, task: values.count).get()) }
      return values
    }
    let (call, slots) = try begin(engine, inputs)
    defer { engine.settleOutput() }
    while try !step(call, slots, stopAtFailure: true) { engine.wait(for: call.job) }
    return slots.values(call.drawn)
  }

  func blockingOutcomes(_ inputs: some Sequence<Input>) -> [Outcome] {
    guard let engine = pool.engine else {
      do {
        let call = try inline(inputs)
        var outcomes: [Outcome] = []
        for input in inputs { outcomes.append(call.runBlocking(input, task: outcomes.count)) }
        return outcomes
      } catch { return failed(inputs, error) }
    }
    do {
      let (call, slots) = try begin(engine, inputs)
      defer { engine.settleOutput() }
      while try !step(call, slots, stopAtFailure: false) { engine.wait(for: call.job) }
      return slots.outcomes(call.drawn)
    } catch { return failed(inputs, error) }
  }

  // MARK: Without a call

  /// The call could not even begin: each of its tasks failed for that reason.
  private func failed(_ inputs: some Sequence<Input>, _ error: any Error) -> [Outcome] {
    let error = TaskError(beginning: error)
    return inputs.enumerated().map { index, _ in
      var error = error
      error.task = index
      return .failure(error)
    }
  }

  /// The caller was cancelled: what is done counts, the rest was cancelled with it, inputs that were not drawn
  /// yet as well, as far as their number is known.
  private func cancelled(_ call: TypedCall<Input, Output>, _ slots: Slots, count: Int) -> [Outcome] {
    call.collect(into: slots, slots.settle)
    return slots.outcomes(max(count, call.drawn), placed: call.placed)
  }
}

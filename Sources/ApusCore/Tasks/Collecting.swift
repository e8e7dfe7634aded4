/// The calls that gather every outcome: `outcomes` and, stopping at the first failure, `map`.
struct Collecting<Input: Codable & Sendable, Output: Codable & Sendable> {
  typealias Outcome = Result<Output, TaskError>

  /// Where the outcomes of a call go, by index.
  private final class Slots {
    let plain: PlainArray<Output>?
    var slots: [Outcome?] = []

    init(plain: PlainArray<Output>?) { self.plain = plain }

    func set(_ index: Int, _ outcome: Outcome) {
      if index >= slots.count { slots.append(contentsOf: repeatElement(nil, count: index + 1 - slots.count)) }
      slots[index] = outcome
    }

    /// All of them, those in the plain array as well.
    func outcomes(_ count: Int) -> [Outcome] {
      guard let values = plain?.take() else { return slots.map { $0! } }
      return (0..<count).map { index in
        if index < slots.count, let outcome = slots[index] { return outcome }
        return .success(values[index])
      }
    }

    /// - Parameter count: How many inputs there were: a collection that miscounts itself may have fewer.
    func values(_ count: Int) throws(TaskError) -> [Output] {
      if let plain { return count == plain.count ? plain.take() : Array(plain.take().prefix(count)) }
      var values: [Output] = []
      values.reserveCapacity(slots.count)
      for slot in slots { values.append(try slot!.get()) }
      return values
    }
  }

  let pool: ProcessPool
  let function: RemoteFunction<Input, Output>
  var options: CallOptions

  private func inline() throws -> InlineCall<Input, Output> {
    try InlineCall(function, options, pool)
  }

  private func begin(_ engine: PoolEngine, _ inputs: some Sequence<Input>) throws
    -> (TypedCall<Input, Output>, Slots)
  {
    if let array = inputs as? [Input] ?? integers(inputs), let plain = PlainArray<Output>(count: array.count),
      try TaskError.naming({ try function.source.definition() }).strides != nil
    {
      // Plain memory both ways: no coder is called, and the results go straight to their places.
      let call = try TypedCall(
        engine, function, options, defaults: pool.configuration,
        plainResults: plain)
      let elements = PlainElements(array)
      call.give(plain: elements.bytes, owner: elements)
      return (call, Slots(plain: plain))
    }
    var iterator = inputs.makeIterator()
    if let collection = inputs as? any Collection<Input>,
      let plain = PlainArray<Output>(count: collection.count),
      try TaskError.naming({ try function.source.definition() }).strides != nil
    {
      // The same, but the inputs are drawn as they are needed: many at a time, in one loop.
      let limit = plain.count
      var drawn = 0
      let call = try TypedCall(
        engine, function, options, defaults: pool.configuration, plainResults: plain,
        drawPlain: { place, count in
          var number = 0
          while number < min(count, limit - drawn), let input = iterator.next() {
            (place + number).initialize(to: input)
            number += 1
          }
          drawn += number
          return number
        })
      return (call, Slots(plain: plain))
    }
    let call = try TypedCall(
      engine, function, options, defaults: pool.configuration,
      draw: { Drawn(iterator.next()) })
    return (call, Slots(plain: nil))
  }

  /// The integers of a range take less to make at once than to draw one by one, through a table of witnesses.
  private func integers(_ inputs: some Sequence<Input>) -> [Input]? {
    if let range = inputs as? Range<Int> { return Array(range) as? [Input] }
    if let range = inputs as? ClosedRange<Int> { return Array(range) as? [Input] }
    return nil
  }

  /// One round of the caller's work. True when all is done.
  private func step(_ call: TypedCall<Input, Output>, _ slots: Slots, stopAtFailure: Bool) throws -> Bool {
    func settle(_ index: Int, _ outcome: Outcome) throws {
      if stopAtFailure, case .failure(let error) = outcome { throw error }
      slots.set(index, outcome)
    }
    try call.collect(settle)
    try call.refill(settle)
    return call.isFinished
  }

  // MARK: Asynchronous

  func values(_ inputs: some Sequence<Input>) async throws -> [Output] {
    guard let engine = pool.engine else {
      let call = try inline()
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
    return try slots.values(call.drawn)
  }

  func outcomes(_ inputs: some Sequence<Input>) async -> [Outcome] {
    guard let engine = pool.engine else {
      do {
        let call = try inline()
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
        if Task.isCancelled { return cancelled(call, slots, count: inputs.underestimatedCount) }
      }
      await engine.outputIsSettled()
      return slots.outcomes(call.drawn)
    } catch { return failed(inputs, error) }
  }

  // MARK: Blocking

  func blockingValues(_ inputs: some Sequence<Input>) throws -> [Output] {
    guard let engine = pool.engine else {
      let call = try inline()
      var values: [Output] = []
      for input in inputs { values.append(try call.runBlocking(input, task: values.count).get()) }
      return values
    }
    let (call, slots) = try begin(engine, inputs)
    defer { engine.settleOutput() }
    while try !step(call, slots, stopAtFailure: true) { engine.wait(for: call.job) }
    return try slots.values(call.drawn)
  }

  func blockingOutcomes(_ inputs: some Sequence<Input>) -> [Outcome] {
    guard let engine = pool.engine else {
      do {
        let call = try inline()
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
    call.collect { slots.set($0, $1) }
    var outcomes: [Outcome] = (0..<max(count, call.drawn)).map { index in
      if index < slots.slots.count, let outcome = slots.slots[index] { return outcome }
      return .failure(TaskError(.stopped(.cancelled, limit: nil), task: index))
    }
    if let values = slots.plain?.take() {
      for range in call.placed { for index in range { outcomes[index] = .success(values[index]) } }
    }
    return outcomes
  }
}

import ApusEngine
import ApusWire

/// Finds the first input for which a predicate holds, and stops the rest.
struct FirstMatch<Inputs: Sequence<Input>, Input: Codable & Sendable, Answer: _TruthValue> {
  let pool: ProcessPool
  let function: RemoteFunction<Input, Answer>
  let inputs: Inputs
  let timeLimit: Duration?
  let retries: Int?

  /// What is known so far: inputs that have no answer yet, and answers that came out of turn.
  private final class Search {
    private var waiting: [Int: Input] = [:]
    private var answers: [Int: Result<Answer, TaskError>] = [:]
    private var next = 0
    private(set) var found: Input?
    private var count = 0

    /// Answers that wait for an earlier one.
    var held: Int { answers.count }

    func drew(_ input: Input) {
      waiting[count] = input
      count += 1
    }

    /// Takes an answer; throws if the first undecided task failed.
    func settle(_ index: Int, _ answer: Result<Answer, TaskError>) throws {
      answers[index] = answer
      while found == nil, let answer = answers.removeValue(forKey: next) {
        let input = waiting.removeValue(forKey: next)
        if try answer.get().isTrue { found = input }
        next += 1
      }
    }
  }

  private var options: CallOptions {
    // Inputs beyond the match are drawn in vain, so only as many as keep the workers busy.
    CallOptions(timeLimit: timeLimit, retries: retries, window: 64 * max(1, pool.workerCount), isEager: true)
  }

  private func begin(_ engine: PoolEngine, _ search: Search) throws -> TypedCall<Input, Answer> {
    var iterator = inputs.makeIterator()
    return try TypedCall(
      engine, function, options, defaults: pool.configuration,
      draw: { place in
        guard let input = iterator.next() else { return .end }
        search.drew(input)
        place.initialize(to: input)
        return .input
      })
  }

  private func step(_ call: TypedCall<Input, Answer>, _ search: Search) throws -> Bool {
    try call.collect(search.settle)
    if search.found != nil { return true }
    // Answers that wait for an earlier one count for the window: what is drawn stays bounded.
    call.held = search.held
    try call.refill { try search.settle($0, .failure($1)) }
    return search.found != nil || call.isFinished
  }

  func find() async throws -> Input? {
    guard let engine = pool.engine else {
      let call = try InlineCall(function, options, pool)
      for (index, input) in inputs.enumerated() {
        if try await call.value(input, task: index).isTrue { return input }
      }
      return nil
    }
    let search = Search()
    let call = try begin(engine, search)
    do {
      while try !step(call, search) {
        if !engine.isSoon(call.job) { await engine.suspend(for: call.job) }
        try Task.checkCancellation()
      }
    } catch {
      await engine.outputIsSettled()
      throw error
    }
    await engine.outputIsSettled()
    return search.found
  }

  func findBlocking() throws -> Input? {
    guard let engine = pool.engine else {
      let call = try InlineCall(function, options, pool)
      for (index, input) in inputs.enumerated() {
        if try call.runBlocking(input, task: index).get().isTrue { return input }
      }
      return nil
    }
    let search = Search()
    let call = try begin(engine, search)
    defer { engine.settleOutput() }
    while try !step(call, search) { engine.wait(for: call.job) }
    return search.found
  }
}

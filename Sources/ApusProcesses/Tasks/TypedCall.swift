import ApusEngine
import ApusWire
import CApus

extension CallOptions {
  /// What the engine is told. Throws `TaskError` if an option is out of range.
  @inline(__always)
  func forEngine(_ defaults: ProcessPool.Configuration) throws -> EngineJob.Options {
    var settings = EngineJob.Options()
    if case .fixed(let count) = chunking.value {
      guard count > 0 else { throw TaskError(.invalidArgument, "a chunk can't have \(count) tasks") }
      settings.chunking = .fixed(min(count, 1 << 32))
    }
    if let limit = timeLimit ?? defaults.timeLimit {
      guard limit > .zero else {
        throw TaskError(.invalidArgument, "a time limit must be positive, not \(limit)")
      }
      settings.timeLimit = limit.inNanoseconds
    }
    guard window ?? 1 > 0 else {
      throw TaskError(.invalidArgument, "a window must be positive, not \(window ?? 0)")
    }
    settings.retries = retries ?? defaults.retries
    guard settings.retries >= 0 else {
      throw TaskError(.invalidArgument, "retries can't be negative (\(settings.retries))")
    }
    settings.grace = defaults.gracePeriod.inNanoseconds
    if let deadline = defaults.deadline {
      guard deadline > .zero else {
        throw TaskError(.invalidArgument, "a deadline must be positive, not \(deadline)")
      }
      settings.endsAt = apus_now() &+ deadline.inNanoseconds
    }
    settings.place = defaults.place
    settings.isEager = isEager || defaults.progress != nil
    return settings
  }
}

extension TaskError {
  /// Runs what names a function to the workers, and says what went wrong with it.
  static func naming(_ body: () throws -> FunctionDefinition) throws -> FunctionDefinition {
    do { return try body() } catch let problem as FunctionProblem {
      throw TaskError(.functionNotNameable, problem.description)
    } catch {
      throw TaskError(
        .argumentNotEncodable, "the context value could not be encoded: \(error)", underlying: error)
    }
  }
}

/// How a call differs from its pool's configuration.
struct CallOptions: Sendable {
  var chunking = Chunking.automatic
  var timeLimit: Duration?
  var retries: Int?
  /// Inputs drawn and not handed out yet, at most; nil: no bound but what keeps the workers busy.
  var window: Int?
  var isEager = false
  /// How many tasks the call has, if that is known.
  var total: Int?
  /// Whether the caller may have to know which values of plain memory are there.
  var keepsPlaces = false
}

/// One call between its caller and the engine: draws inputs, encodes them, decodes what comes back.
///
/// All of it on the caller's thread or task, so that a coder which throws costs one task, and one that never
/// ends holds up its own caller alone.
final class TypedCall<Input: Codable & Sendable, Output: Codable & Sendable> {
  typealias Outcome = Result<Output, TaskError>

  let engine: PoolEngine
  let job: EngineJob
  private let limit: Duration?
  private let inputs = ValueCodec<Input>()
  private let outputs = ValueCodec<Output>()
  private var draw: InputDraw<Input>?
  private var drawPlain: PlainDraw<Input>?
  /// Where inputs are drawn to, one at a time.
  private let input = UnsafeMutablePointer<Input>.allocate(capacity: 1)
  /// Inputs of plain memory in the next batch, at least.
  private var plainBatch = 16
  private var inbox = EngineJob.Inbox()
  private let window: Int?
  private let progress: CallProgress.Reporter?
  private let keepsPlaces: Bool
  /// The last draw found no input there yet.
  private var isHeldUp = false
  /// Inputs drawn so far.
  private(set) var drawn = 0
  /// Outcomes given to the sink so far.
  private(set) var settled = 0
  /// How many of them failed, if anybody wants to know.
  private var failed = 0
  /// The tasks whose values were placed in the plain results, as far as the caller may ask.
  private(set) var placed: [Range<Int>] = []
  /// How many of those the sink has kept back: they count for the window.
  var held = 0

  /// - Parameters:
  ///   - draw: How inputs are drawn.
  ///   - drawPlain: The same for plain memory. Neither: all are given at once.
  init(
    _ engine: PoolEngine, _ function: RemoteFunction<Input, Output>, _ options: CallOptions,
    defaults: ProcessPool.Configuration, plainResults: PlainArray<Output>? = nil,
    draw: InputDraw<Input>? = nil, drawPlain: PlainDraw<Input>? = nil
  ) throws {
    limit = options.timeLimit ?? defaults.timeLimit
    progress = defaults.progress.map { CallProgress.Reporter($0, total: options.total) }
    job = try EngineJob(
      TaskError.naming { try function.source.definition() }, options: options.forEngine(defaults),
      destination: plainResults?.base, destinationOwner: plainResults)
    self.engine = engine
    (self.draw, self.drawPlain) = (draw, drawPlain)
    window = options.window
    keepsPlaces = options.keepsPlaces
    engine.add(job)
  }

  deinit {
    engine.remove(job)
    input.deallocate()
  }

  /// Whether every outcome has been given to the sink.
  var isFinished: Bool { hasNoInputs && settled == drawn }

  private var hasNoInputs: Bool { draw == nil && drawPlain == nil }

  // MARK: Inputs

  /// Gives all inputs at once: plain memory that `owner` keeps.
  func give(plain bytes: UnsafeRawBufferPointer, owner: AnyObject) {
    drawn = bytes.count / MemoryLayout<Input>.stride
    let batch = InputBatch(
      raw: bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 16)!, stride: MemoryLayout<Input>.stride,
      count: drawn,
      owner: owner)
    engine.give(batch, base: 0, to: job, isLast: true)
  }

  /// Draws and encodes as many inputs as the workers can use now. `failed` hears of those that can't be
  /// encoded.
  func refill(_ failed: (Int, TaskError) throws -> Void) rethrows {
    if hasNoInputs { return }
    var (wanted, chunk) = engine.wanted(by: job)
    if drawPlain != nil { return encodePlain(wanted, chunk) }
    if let window {
      wanted = min(wanted, window - (drawn - settled + held))
      chunk = min(chunk, max(1, window / (2 * max(1, engine.configuration.workers))))
    }
    while wanted > 0, draw != nil {
      let before = drawn
      try encodeBatch(min(chunk, wanted), failed)
      if drawn == before { break }
      wanted -= drawn - before
    }
    // With the window full, or no input there yet, hearing that the workers want more would be no use.
    if draw != nil, isHeldUp || window.map({ drawn - settled + held >= $0 }) ?? false {
      engine.pauseInput(of: job)
    }
  }

  /// As many as are wanted, in batches of at least a chunk. The first are small: the workers should not wait for
  /// inputs that take long to draw.
  private func encodePlain(_ wanted: Int, _ chunk: Int) {
    let stride = MemoryLayout<Input>.stride
    var wanted = wanted
    while wanted > 0, let source = drawPlain {
      let size = min(max(chunk, plainBatch), max(1, (1 << 20) / stride))
      plainBatch = min(4 * plainBatch, source.batch)
      let buffer = ByteBuffer(capacity: size * stride)
      let place = buffer.uninitialized(count: size * stride).bindMemory(to: Input.self, capacity: size)
      let (count, isEnd) = source.draw(place, size)
      if isEnd { drawPlain = nil }
      drawn += count
      wanted -= count
      if count == 0 { return engine.closeInput(of: job) }
      let batch = InputBatch(raw: buffer.baseAddress, stride: stride, count: count, owner: buffer)
      engine.give(batch, base: drawn - count, to: job, isLast: isEnd)
      // They are slow to come: what has come back meanwhile is looked at first.
      if count < size { return }
    }
  }

  private func encodeBatch(_ count: Int, _ failed: (Int, TaskError) throws -> Void) rethrows {
    let base = drawn
    let buffer = ByteBuffer(capacity: 64)
    var ends: [Int] = []
    var failure: TaskError?
    while ends.count < count, buffer.count < 64 << 10 {
      do {
        guard try drawInput() else { break }
      } catch {
        // The sequence is at fault, not an element of it: it counts as one, and ends there.
        draw = nil
        drawn += 1
        failure = TaskError(drawing: error, task: drawn - 1)
        break
      }
      defer { input.deinitialize(count: 1) }
      drawn += 1
      if job.function.takesRawArray, let large = LargeArgument(input.pointee, job.function) {
        send(buffer, ends, base: base)
        engine.give(large.batch, base: drawn - 1, to: job, isLast: false)
        return
      }
      do {
        try inputs.encode(input.pointee, into: buffer)
        if isPlain { buffer.pad(to: MemoryLayout<Input>.stride) }
        ends.append(buffer.count)
      } catch {
        failure = TaskError(
          .argumentNotEncodable, "the argument could not be encoded: \(error)", underlying: error)
        break
      }
    }
    send(buffer, ends, base: base)
    if var failure {
      failure.task = drawn - 1
      settled += 1
      self.failed += 1
      try failed(drawn - 1, failure)
    }
  }

  /// Draws the next input to its place; false if there is none now.
  private func drawInput() throws -> Bool {
    let result = try draw?(input) ?? .end
    isHeldUp = result == .notYet
    if result == .end { draw = nil }
    return result == .input
  }

  /// Whether elements travel as runs of plain memory.
  private var isPlain: Bool { job.function.strides != nil }

  private func send(_ buffer: ByteBuffer, _ ends: [Int], base: Int) {
    if ends.isEmpty {
      if draw == nil { engine.closeInput(of: job) }
      return
    }
    let batch =
      isPlain
      ? InputBatch(
        raw: buffer.baseAddress, stride: MemoryLayout<Input>.stride, count: ends.count, owner: buffer)
      : InputBatch(coded: buffer, ends: ends)
    engine.give(batch, base: base, to: job, isLast: draw == nil)
  }

  // MARK: Results

  /// Decodes what has come back and gives it to `sink`.
  func collect(_ sink: (Int, Outcome) throws -> Void) rethrows {
    engine.collect(job, into: &inbox)
    for delivery in inbox.deliveries where isNext(delivery) { try sink(delivery.index, outcome(delivery)) }
    progress?.report(done: settled, failed: failed)
  }

  /// Decodes values that have come back to their places, and tells `failed` of the others.
  func collect(into slots: OutcomeSlots<Output>, _ failed: (Int, TaskError) throws -> Void) rethrows {
    engine.collect(job, into: &inbox)
    for delivery in inbox.deliveries where isNext(delivery) {
      let index = delivery.index
      do throws(TaskError) {
        let bytes = try delivery.value(in: inbox, limit: limit)
        try decode(bytes, to: slots.place(index), index)
        slots.settle(index, nil)
        if keepsPlaces, slots.plain != nil { note(placed: index..<index + 1) }
      } catch { try failed(index, error) }
    }
    progress?.report(done: settled, failed: self.failed)
  }

  /// Counts a delivery; false for values that the engine has put to their places.
  private func isNext(_ delivery: Delivery) -> Bool {
    settled += delivery.count
    if progress != nil, delivery.isFailure { failed += delivery.count }
    guard case .placed = delivery.content else { return true }
    if keepsPlaces { note(placed: delivery.index..<delivery.index + delivery.count) }
    return false
  }

  private func note(placed range: Range<Int>) {
    if placed.last?.upperBound == range.lowerBound {
      placed[placed.count - 1] = placed[placed.count - 1].lowerBound..<range.upperBound
    } else {
      placed.append(range)
    }
  }

  private func outcome(_ delivery: Delivery) -> Outcome {
    do {
      return .success(try decode(try delivery.value(in: inbox, limit: limit), delivery.index))
    } catch {
      return .failure(error)
    }
  }

  private func decode(_ bytes: UnsafeRawBufferPointer, _ index: Int) throws(TaskError) -> Output {
    do { return try outputs.decode(valueBytes(bytes)) } catch {
      throw TaskError(decoding: error, task: index)
    }
  }

  private func decode(_ bytes: UnsafeRawBufferPointer, to place: UnsafeMutablePointer<Output>, _ index: Int)
    throws(TaskError)
  {
    do { place.initialize(to: try outputs.decode(valueBytes(bytes))) } catch {
      throw TaskError(decoding: error, task: index)
    }
  }

  /// In a run a value takes its stride; the codec knows it by its size.
  private func valueBytes(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let isRunValue = isPlain && bytes.count == MemoryLayout<Output>.stride
    return isRunValue ? UnsafeRawBufferPointer(rebasing: bytes[..<MemoryLayout<Output>.size]) : bytes
  }
}

extension Delivery {
  var isFailure: Bool {
    switch content {
    case .placed, .value, .large: false
    case .failure, .lost, .stopped, .unserved: true
    }
  }

  /// The bytes of the value. Throws what became of the task instead.
  func value(in inbox: EngineJob.Inbox, limit: Duration?) throws(TaskError) -> UnsafeRawBufferPointer {
    switch content {
    case .placed: preconditionFailure("counted, not decoded")
    case .value(let range): return UnsafeRawBufferPointer(rebasing: inbox.bytes.bytes[range])
    case .large(let value): return value.bytes.bytes
    case .failure(let range):
      let bytes = UnsafeRawBufferPointer(rebasing: inbox.bytes.bytes[range])
      guard let report = try? FailureReport(decoding: bytes) else {
        throw TaskError(.resultNotDecodable, "the worker's report of a failure is garbled", task: index)
      }
      throw TaskError(report, task: index)
    case .lost(let loss): throw TaskError(loss, task: index, limit: limit)
    case .stopped(let reason): throw TaskError(.stopped(reason, limit: limit), task: index)
    case .unserved(let problem): throw TaskError(problem, task: index)
    }
  }
}

extension PoolEngine {
  /// What tasks printed is written before their results are seen, without blocking the caller's thread.
  @inline(__always)
  func outputIsSettled() async { if !hasSettledOutput { await outputSettled() } }
}

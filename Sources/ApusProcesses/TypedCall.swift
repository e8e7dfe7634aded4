import ApusCore
import Glibc

/// What drawing an input came to.
enum Drawn<Input> {
  case input(Input)
  /// There is none yet; the engine is told when there is.
  case notYet
  case end

  init(_ input: Input?) { self = input.map { .input($0) } ?? .end }
}

/// How a call differs from its pool's configuration.
struct CallOptions: Sendable {
  var chunking = Chunking.automatic
  var timeLimit: Duration?
  var retries: Int?
  /// Inputs drawn and not handed out yet, at most; nil: no bound but what keeps the workers busy.
  var window: Int?
  var isEager = false
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
  private var draw: (() throws -> Drawn<Input>)?
  private var inbox = EngineJob.Inbox()
  private let window: Int?
  /// Inputs drawn so far.
  private(set) var drawn = 0
  /// Outcomes given to the sink so far.
  private(set) var settled = 0
  /// How many of those the sink has kept back: they count for the window.
  var held = 0

  /// - Parameters:
  ///   - draw: The next input, or nil after the last.
  ///   - plain: All inputs at once, as plain memory, instead.
  init(
    _ engine: PoolEngine, _ function: RemoteFunction<Input, Output>, _ options: CallOptions,
    defaults: ProcessPool.Configuration, isAsynchronous: Bool, plainResults: UnsafeMutableRawPointer? = nil,
    draw: (() throws -> Drawn<Input>)? = nil
  ) throws {
    var settings = EngineJob.Options()
    switch options.chunking.value {
    case .automatic: settings.chunking = .automatic
    case .fixed(let count):
      guard count > 0 else { throw TaskError(.invalidArgument, "a chunk can't have \(count) tasks") }
      settings.chunking = .fixed(count)
    }
    limit = options.timeLimit ?? defaults.timeLimit
    guard limit ?? .seconds(1) > .zero else {
      throw TaskError(.invalidArgument, "a time limit must be positive, not \(limit!)")
    }
    guard options.retries ?? 0 >= 0 else {
      throw TaskError(.invalidArgument, "retries can't be negative (\(options.retries!))")
    }
    settings.timeLimit = limit?.inNanoseconds
    settings.grace = defaults.gracePeriod.inNanoseconds
    settings.retries = options.retries ?? defaults.retries
    settings.isEager = options.isEager
    do {
      job = EngineJob(try function.source.definition(), options: settings, destination: plainResults)
    } catch let problem as FunctionProblem {
      throw TaskError(.functionNotNameable, problem.description)
    } catch {
      throw TaskError(.argumentNotEncodable, "the context value could not be encoded: \(error)", underlying: error)
    }
    self.engine = engine
    self.draw = draw
    window = options.window
    engine.add(job, asynchronous: isAsynchronous)
  }

  deinit { engine.remove(job) }

  /// Whether every outcome has been given to the sink.
  var isFinished: Bool { draw == nil && settled == drawn }

  // MARK: Inputs

  /// Gives all inputs at once: plain memory that `owner` keeps.
  func give(plain bytes: UnsafeRawBufferPointer, owner: AnyObject) {
    drawn = bytes.count / MemoryLayout<Input>.stride
    let batch = InputBatch(
      raw: bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 16)!, stride: MemoryLayout<Input>.stride, count: drawn,
      owner: owner)
    engine.give(batch, base: 0, to: job, isLast: true)
  }

  /// Draws and encodes as many inputs as the workers can use now. `failed` hears of those that can't be
  /// encoded.
  func refill(_ failed: (Int, Outcome) throws -> Void) rethrows {
    guard draw != nil else { return }
    var (wanted, chunk) = engine.wanted(by: job)
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
  }

  private func encodeBatch(_ count: Int, _ failed: (Int, Outcome) throws -> Void) rethrows {
    let base = drawn
    let buffer = ByteBuffer(capacity: 64)
    var ends: [Int] = []
    var failure: TaskError?
    while ends.count < count, buffer.count < 64 << 10 {
      let input: Input
      do {
        let next = try draw?() ?? .end
        if case .end = next { draw = nil }
        guard case .input(let value) = next else { break }
        input = value
      } catch {
        // The sequence is at fault, not an element of it: it counts as one, and ends there.
        draw = nil
        drawn += 1
        failure = TaskError(drawing: error, task: drawn - 1)
        break
      }
      drawn += 1
      if let large = LargeArgument(input, inputs) {
        send(buffer, ends, base: base)
        engine.give(large.batch, base: drawn - 1, to: job, isLast: false)
        return
      }
      do {
        try inputs.encode(input, into: buffer)
        if isPlain { pad(buffer) }
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
      try failed(drawn - 1, .failure(failure))
    }
  }

  /// Whether elements travel as runs of plain memory.
  private var isPlain: Bool { job.function.strides != nil }

  /// In a run each value takes its stride; a value by itself was encoded as its size.
  private func pad(_ buffer: ByteBuffer) {
    let padding = MemoryLayout<Input>.stride - MemoryLayout<Input>.size
    if padding > 0 { memset(buffer.uninitialized(count: padding), 0, padding) }
  }

  private func send(_ buffer: ByteBuffer, _ ends: [Int], base: Int) {
    if ends.isEmpty {
      if draw == nil { engine.closeInput(of: job) }
      return
    }
    let batch =
      isPlain
      ? InputBatch(raw: buffer.baseAddress, stride: MemoryLayout<Input>.stride, count: ends.count, owner: buffer)
      : InputBatch(coded: buffer, ends: ends)
    engine.give(batch, base: base, to: job, isLast: draw == nil)
  }

  // MARK: Results

  /// Decodes what has come back and gives it to `sink`; `placed` hears how many values went to their place.
  func collect(_ sink: (Int, Outcome) throws -> Void) rethrows {
    engine.collect(job, into: &inbox)
    for delivery in inbox.deliveries {
      if case .placed = delivery.content {
        settled += delivery.count
        continue
      }
      settled += 1
      try sink(delivery.index, outcome(delivery))
    }
  }

  private func outcome(_ delivery: Delivery) -> Outcome {
    let index = delivery.index
    switch delivery.content {
    case .placed: preconditionFailure("counted, not decoded")
    case .value(let range): return decode(UnsafeRawBufferPointer(rebasing: inbox.bytes.bytes[range]), index)
    case .large(let value): return decode(value.bytes.bytes, index)
    case .failure(let range):
      do {
        let report = try FailureReport(decoding: UnsafeRawBufferPointer(rebasing: inbox.bytes.bytes[range]))
        return .failure(TaskError(report, task: index))
      } catch {
        return .failure(TaskError(.resultNotDecodable, "the worker's report is garbled: \(error)", task: index))
      }
    case .lost(let loss): return .failure(TaskError(loss, task: index, limit: limit))
    case .stopped(let reason): return .failure(TaskError(.stopped(reason, limit: limit), task: index))
    case .unserved(let problem): return .failure(TaskError(problem, task: index))
    }
  }

  private func decode(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> Outcome {
    do {
      let isRunValue = isPlain && bytes.count == MemoryLayout<Output>.stride
      return .success(try outputs.decode(isRunValue ? .init(rebasing: bytes[..<MemoryLayout<Output>.size]) : bytes))
    } catch {
      return .failure(
        TaskError(
          .resultNotDecodable, "the result could not be decoded: \(error)", task: index, underlying: error))
    }
  }
}

/// An argument that is one large array: sent from its own storage, without a copy.
private struct LargeArgument<Input: Codable & Sendable> {
  let batch: InputBatch

  private final class Owner { 
    let value: Input
    init(_ value: Input) { self.value = value }
  }

  init?(_ value: Input, _ codec: ValueCodec<Input>) {
    guard case .rawArray = codec.format else { return nil }
    let owner = Owner(value)
    // The storage of an array is an object: it stays where it is for as long as the owner holds the array,
    // and nobody can change it, as any other holder of it would copy it first.
    let bytes = codec.withRawBytes(of: owner.value) { $0 }
    guard let bytes, bytes.count > 32 << 10, let base = bytes.baseAddress else { return nil }
    batch = InputBatch(raw: base, stride: bytes.count, count: 1, owner: owner)
  }
}

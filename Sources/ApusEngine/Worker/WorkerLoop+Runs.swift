import ApusWire
import CApus
import Synchronization

// Elements whose arguments and results are plain memory, called in one loop.
extension WorkerLoop {
  /// The function that a chunk is for. Throws a `FailureReport` if there is none.
  func rawRunner(_ header: TaskHeader) throws -> any ElementRunner {
    let runner = try runner(header)
    if runner.strides == nil {
      throw FailureReport(.function, WorkerProtocolError("the function does not take plain memory"))
    }
    return runner
  }

  /// There is no function for it.
  func failRawChunk(_ header: TaskHeader, _ report: FailureReport) throws {
    let size = recordSize(TaskHeader.size + Int(header.length))
    try waitForTasks(size)
    for element in header.first..<header.first + UInt64(header.count) where claim(element) {
      try fail(report, element)
    }
    tasks.consume(size)
  }

  func runRawChunk(_ header: TaskHeader, _ runner: any ElementRunner) throws {
    let size = recordSize(TaskHeader.size + Int(header.length))
    try waitForTasks(size)
    let end = header.first + UInt64(header.count)
    var next = max(header.first, skipTo)
    while next < end {
      // With a time limit, each element's beginning must be noted: one at a time. With one on memory, a look is due between.
      var most = header.flags & TaskHeader.Flag.timed != 0 ? 1 : end - next
      isWatched = header.flags & TaskHeader.Flag.memory != 0
      if isWatched, let memory {
        let isGrouped = header.flags & TaskHeader.Flag.grouped != 0
        most = min(most, try memory.checkBeforeRun(most, isGrouped: isGrouped))
      }
      next = try runRaw(header, runner, from: next, to: next + min(most, end - next))
    }
    tasks.consume(size)
  }

  /// Runs elements until one fails, or all are done or taken back. Returns the one to go on with.
  private func runRaw(
    _ header: TaskHeader, _ runner: any ElementRunner, from first: UInt64, to end: UInt64
  ) throws -> UInt64 {
    let strides = runner.strides ?? (1, 1)  // never: `rawRunner`
    try waitForSpace(recordSize(ResultHeader.size + Int(end - first) * strides.output))
    let record = results.place()
    // Not published, so its length is free to say how long one value is.
    var result = ResultHeader(
      kind: ResultHeader.Kind.openRun, count: 0, sequence: first, length: UInt64(strides.output))
    result.position = results.position
    record.storeBytes(of: result, as: ResultHeader.self)
    let run = _RawRun(
      inputs: tasks.place(TaskHeader.size + Int(first - header.first) * strides.input),
      outputs: record + ResultHeader.size, count: Int(end - first), first: first,
      progress: channel.progress, gate: channel.gate, gatekeeper: self)
    if header.flags & TaskHeader.Flag.timed != 0 {
      channel.begun.pointee.store(apus_now(), ordering: .relaxed)
    }
    stoppedBefore = nil
    var failure: FailureReport?
    do { try runner.run(run) } catch { failure = error as? FailureReport ?? FailureReport(.call, error) }
    flushOutput()
    let done = stoppedBefore ?? channel.progress.pointee.load(ordering: .relaxed) / 2
    if done > first, try isWatched && isOverLimit(first) {
      // That is its result.
    } else if done > first {
      result.kind = ResultHeader.Kind.run
      result.count = UInt32(done - first)
      result.length = UInt64(Int(done - first) * strides.output)
      record.storeBytes(of: result, as: ResultHeader.self)
      results.publish(recordSize(ResultHeader.size + Int(result.length)))
      notify()
    } else {
      // Nothing to publish; and what the parent may look at here is no run any more.
      record.storeBytes(of: ResultHeader(kind: 0, count: 0, sequence: 0, length: 0), as: ResultHeader.self)
    }
    if stoppedBefore != nil { passRevoked() }
    if let failure { try fail(failure, done) }
    return max(skipTo, failure == nil ? done : done + 1)
  }
}

/// Until there is a function.
struct NoRunnerError: Error {}
final class NoRunner: ElementRunner {
  var strides: (input: Int, output: Int)? { nil }
  var code: FunctionCode { FunctionCode() }
  func run(_ input: ElementInput, output: WorkerLoop) throws { throw NoRunnerError() }
  func run(_ run: _RawRun) throws { throw NoRunnerError() }
}

import ApusEngine
import ApusSystem
import ApusWire
import CApus
public import CApusPython

/// A call of a pool, as Python holds it. Used by one thread at a time, but for `apus_py_job_cancel`.
final class JobHandle {
  let pool: PoolHandle
  let job: EngineJob
  private var inbox = EngineJob.Inbox()
  private var position = 0
  /// What the last result points into.
  private var kept: ByteBuffer?

  init(_ pool: PoolHandle, _ job: EngineJob) { (self.pool, self.job) = (pool, job) }

  /// What nobody holds any more is done all the same.
  deinit {
    let (engine, job) = (pool.engine, job)
    if !engine.whenOver(job, { engine.remove(job) }) { engine.remove(job) }
  }

  /// The next thing that has come back.
  func next() -> apus_py_result {
    if position == inbox.deliveries.count {
      position = 0
      pool.engine.collect(job, into: &inbox)
      if inbox.deliveries.isEmpty { return apus_py_result() }
      // What tasks printed is written before their results are seen.
      pool.engine.settleOutput()
    }
    let delivery = inbox.deliveries[position]
    position += 1
    kept = nil
    return result(delivery)
  }

  func takeKept() -> ByteBuffer? {
    defer { kept = nil }
    return kept
  }

  var isOver: Bool { position == inbox.deliveries.count && pool.engine.isComplete(job) }

  private func result(_ delivery: Delivery) -> apus_py_result {
    var result = apus_py_result()
    (result.index, result.exit_code, result.signal) = (Int64(delivery.index), -1, -1)
    switch delivery.content {
    case .placed: break  // of functions on plain memory alone
    case .value(let range): value(&result, inbox.bytes.bytes[range])
    case .large(let large):
      kept = large.bytes
      value(&result, large.bytes.bytes[...])
    case .failure(let range):
      let report = FailureReport.summary(of: UnsafeRawBufferPointer(rebasing: inbox.bytes.bytes[range]))
      tell(&result, APUS_PY_FAILED, report)
    case .lost(let loss): lost(&result, loss)
    case .stopped(let reason): tell(&result, Self.kind(reason), "")
    case .unserved(let problem): tell(&result, APUS_PY_UNSERVED, Self.describe(problem))
    }
    return result
  }

  private func value(_ result: inout apus_py_result, _ bytes: Slice<UnsafeRawBufferPointer>) {
    let bytes = UnsafeRawBufferPointer(rebasing: bytes)
    result.kind = Int32(APUS_PY_VALUE.rawValue)
    (result.bytes, result.length) = (bytes.baseAddress, UInt64(bytes.count))
  }

  private func tell(_ result: inout apus_py_result, _ kind: APUS_PY_KIND, _ text: String) {
    let bytes = ByteBuffer(capacity: 64)
    var text = text
    text.withUTF8 { bytes.append(contentsOf: UnsafeRawBufferPointer($0)) }
    kept = bytes
    result.kind = Int32(kind.rawValue)
    (result.bytes, result.length) = (UnsafeRawPointer(bytes.baseAddress), UInt64(bytes.count))
  }

  private func lost(_ result: inout apus_py_result, _ loss: WorkerLoss) {
    var text = loss.standardError
    if let corruption = loss.corruption {
      text = "it was killed, because it broke the protocol (\(corruption))\n\(text)"
    }
    tell(&result, loss.reason.map(Self.kind) ?? APUS_PY_DIED, text)
    (result.process, result.part) = (loss.process, loss.part)
    switch loss.status {
    case .exited(let code): result.exit_code = code
    case .signalled(let signal, _): result.signal = signal
    case .unknown: break
    }
  }

  private static func kind(_ reason: StopReason) -> APUS_PY_KIND {
    switch reason {
    case .cancelled: APUS_PY_CANCELLED
    case .timeLimit, .deadline: APUS_PY_TIME_LIMIT
    case .memoryLimit: APUS_PY_MEMORY_LIMIT
    }
  }

  private static func describe(_ problem: PoolProblem) -> String {
    switch problem {
    case .closed: "the pool is closed"
    case .spawnFailed(let error): "no worker could be started: \(error)"
    case .startUpFailed(let attempts, let loss):
      "workers ended before they were ready, \(attempts) times in a row; the last one: "
        + (loss.hookFailure ?? loss.story) + (loss.standardError.isEmpty ? "" : "\n\(loss.standardError)")
    case .restartsExhausted(let limit, let loss):
      "the pool has replaced \(limit) workers, as many as it may; the last one ended with \(loss.status)"
    case .forked:
      "this process is a fork of the one whose pool this is, and has no part in it: make a pool of its own here"
    case .descriptorsClosed:
      "another part of this program has closed the pool's descriptors, so the pool has ended: close none that are "
        + "not your own"
    case .lost(let name, let error): "the \(name) of the pool are lost: \(error)"
    }
  }
}

/// A moment of the monotonic clock. `.max` stands for one that never comes.
func moment(after time: UInt64) -> UInt64 {
  let (end, overflow) = apus_now().addingReportingOverflow(time)
  return overflow ? .max : end
}

private func engineOptions(_ options: apus_py_options) -> EngineJob.Options {
  var found = EngineJob.Options()
  if options.time_limit > 0 { found.timeLimit = options.time_limit }
  found.grace = options.grace
  found.retries = Int(options.retries)
  if options.chunk > 0 { found.chunking = .fixed(Int(options.chunk)) }
  return found
}

/// A call whose elements are yet to be given.
@c(apus_py_job_new)
public func newJob(
  _ pool: UnsafeMutableRawPointer, _ function: UnsafeMutableRawPointer,
  _ options: UnsafePointer<apus_py_options>
) -> UnsafeMutableRawPointer {
  let pool = borrowed(pool, PoolHandle.self)
  let job = EngineJob(
    borrowed(function, FunctionHandle.self).definition, options: engineOptions(options.pointee))
  pool.engine.add(job)
  return handedOut(JobHandle(pool, job))
}

/// Gives a call its next elements, which lie in `bytes` one after the other.
///
/// - Parameters:
///   - bounds: Where each of them ends.
///   - first: The index of the first of them.
@c(apus_py_job_give)
public func giveJob(
  _ job: UnsafeMutableRawPointer, _ bytes: UnsafeRawPointer?, _ bounds: UnsafePointer<UInt64>?,
  _ count: Int64,
  _ first: Int64, _ isLast: Int32
) {
  let job = borrowed(job, JobHandle.self)
  guard count > 0, let bounds else { return job.pool.engine.closeInput(of: job.job) }
  let ends = UnsafeBufferPointer(start: bounds, count: Int(count)).map { Int($0) }
  let batch = InputBatch(coded: copied(UnsafeRawBufferPointer(start: bytes, count: ends.last!)), ends: ends)
  job.pool.engine.give(batch, base: Int(first), to: job.job, isLast: isLast != 0)
}

/// Gives a call its next element, whose bytes lie in several places.
///
/// - Parameter loan: 0: the bytes are copied. Else they are not, and stay there unchanged until `apus_py_loans_ended` names it.
@c(apus_py_job_give_pieces)
public func givePieces(
  _ job: UnsafeMutableRawPointer, _ pieces: UnsafePointer<apus_py_piece>, _ count: Int64, _ index: Int64,
  _ isLast: Int32, _ loan: UInt64
) {
  let job = borrowed(job, JobHandle.self)
  let pieces = buffers(pieces, count)
  let batch: InputBatch
  if loan != 0 {
    batch = InputBatch(gathered: pieces, owner: Loan(loan))
  } else {
    let bytes = ByteBuffer()
    let size = pieces.reduce(0) { $0 + $1.count }
    bytes.reserve(size)
    willFill(UnsafeMutableRawBufferPointer(start: bytes.baseAddress, count: size))
    for piece in pieces { bytes.append(contentsOf: piece) }
    batch = InputBatch(coded: bytes, ends: [bytes.count])
  }
  job.pool.engine.give(batch, base: Int(index), to: job.job, isLast: isLast != 0)
}

/// A call of one element. If its result comes at once it is in `result`, and null is returned.
@c(apus_py_call)
public func call(
  _ pool: UnsafeMutableRawPointer, _ function: UnsafeMutableRawPointer, _ bytes: UnsafeRawPointer,
  _ length: UInt64,
  _ options: UnsafePointer<apus_py_options>, _ buffer: UnsafeMutableRawPointer,
  _ result: UnsafeMutablePointer<apus_py_result>
) -> UnsafeMutableRawPointer? {
  let pool = borrowed(pool, PoolHandle.self)
  let argument = borrowed(buffer, BufferHandle.self).buffer
  argument.removeAll(keepingCapacity: true)
  argument.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: Int(length)))
  let definition = borrowed(function, FunctionHandle.self).definition
  if let job = pool.engine.call(definition, argument, engineOptions(options.pointee)) {
    // The engine keeps the argument.
    borrowed(buffer, BufferHandle.self).buffer = ByteBuffer(capacity: 64)
    return handedOut(JobHandle(pool, job))
  }
  result.pointee = apus_py_result(
    kind: Int32(APUS_PY_VALUE.rawValue), exit_code: -1, signal: -1, process: 0, index: 0, part: 0,
    bytes: UnsafeRawPointer(argument.baseAddress), length: UInt64(argument.count))
  return nil
}

/// Where a call's argument and result are put. One for each thread that calls.
final class BufferHandle {
  var buffer = ByteBuffer(capacity: 4096)
}

/// A place for arguments and results of `apus_py_call`.
@c(apus_py_buffer_new)
public func newBuffer() -> UnsafeMutableRawPointer { handedOut(BufferHandle()) }

/// Waits so long until the call's caller has something to do. 0: in vain.
@c(apus_py_job_wait)
public func waitForJob(_ job: UnsafeMutableRawPointer, _ time: UInt64) -> Int32 {
  let job = borrowed(job, JobHandle.self)
  return job.pool.engine.wait(for: job.job, until: moment(after: time)) ? 1 : 0
}

/// Takes the next thing that has come back. 0: there is nothing.
@c(apus_py_job_next)
public func nextOfJob(_ job: UnsafeMutableRawPointer, _ result: UnsafeMutablePointer<apus_py_result>) -> Int32
{
  result.pointee = borrowed(job, JobHandle.self).next()
  return result.pointee.kind
}

/// What holds the bytes of the last value, to be given back when nobody reads them any more. Null if they are the job's.
@c(apus_py_job_keep)
public func keepOfJob(_ job: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
  borrowed(job, JobHandle.self).takeKept().map { handedOut($0) }
}

/// How many elements the caller should have given for the workers to be busy; and how many make a message.
@c(apus_py_job_wanted)
public func wantedByJob(_ job: UnsafeMutableRawPointer, _ chunk: UnsafeMutablePointer<Int64>) -> Int64 {
  let job = borrowed(job, JobHandle.self)
  let wanted = job.pool.engine.wanted(by: job.job)
  chunk.pointee = Int64(clamping: wanted.chunk)
  return Int64(clamping: wanted.tasks)
}

/// The caller has nothing more to give until something comes back.
@c(apus_py_job_pause)
public func pauseJob(_ job: UnsafeMutableRawPointer) {
  let job = borrowed(job, JobHandle.self)
  job.pool.engine.pauseInput(of: job.job)
}

/// Drops what waits, and ends what runs. From any thread.
@c(apus_py_job_cancel)
public func cancelJob(_ job: UnsafeMutableRawPointer) {
  let job = borrowed(job, JobHandle.self)
  job.pool.engine.cancel(job.job)
}

/// Of a call of one element: 0 while it waits, 1 once it is begun, 2 when it is over.
@c(apus_py_job_stage)
public func stageOfJob(_ job: UnsafeMutableRawPointer) -> Int32 {
  let job = borrowed(job, JobHandle.self)
  switch job.pool.engine.stage(of: job.job) {
  case .queued: return 0
  case .begun: return 1
  case .over: return 2
  }
}

/// Whether nothing more will come.
@c(apus_py_job_is_over)
public func jobIsOver(_ job: UnsafeMutableRawPointer) -> Int32 {
  let job = borrowed(job, JobHandle.self)
  return job.isOver ? 1 : 0
}

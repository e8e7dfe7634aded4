import ApusSystem
package import ApusWire
import CApus
import Synchronization

// The shortest way of a single small task: no job, no queue, and the lock taken once.
extension PoolEngine {
  /// Sends a task to an idle worker and looks for its result for a few microseconds, with the lock held.
  ///
  /// - Parameter bytes: The argument; then, if nil is returned, the result.
  /// - Returns: Nil if the result is there. Whatever else makes the task a job, to wait for and remove as usual.
  package func call(
    _ function: FunctionDefinition, _ bytes: ByteBuffer, _ options: EngineJob.Options
  ) -> EngineJob? {
    enter()
    var sender: EngineWorker?
    if options.timeLimit == nil, options.endsAt == nil, options.place == nil,
      let worker = directWorker(for: function)
    {
      if let sent = try? worker.sendDirectly(function, bytes.bytes), sent {
        if receiveDirectly(from: worker, function, bytes) {
          ledger.counts.submitted += 1
          ledger.counts.succeeded += 1
          ledger.lookForListeners()
          if ledger.isObserved { noteDirect(worker) }
          if configuration.tasksPerWorker != nil { recycle(worker, now: apus_now()) }
          // What the task printed goes out before its result.
          look(at: quiet, timeout: 0)
          unlockAndTell()
          return nil
        }
        sender = worker
      }
    }
    let job = EngineJob(function, options: options)
    let batch = InputBatch(only: bytes, of: function)
    activate(job)
    if let sender {
      job.isInputClosed = true
      job.inFlight = 1
      ledger.counts.submitted += 1
      ledger.lookForListeners()
      ledger.note(.taskQueued, of: job, 0, 1)
      ledger.note(.taskStarted, of: job, 0, 1, by: sender)
      sender.adopt(InputSpan(batch: batch, range: 0..<1, base: 0), job)
    } else {
      receive(batch, base: 0, job, isLast: true)
    }
    unlockAndTell()
    return job
  }

  /// For listeners, a direct call is one like others.
  private func noteDirect(_ worker: EngineWorker) {
    ledger.lastCall &+= 1
    for kind in [Event.Kind.taskQueued, .taskStarted, .taskFinished] {
      ledger.news.append(
        Event(
          kind, from: eventSource, worker: worker.place, process: worker.process.pid, call: ledger.lastCall,
          task: 0,
          count: 1))
    }
  }

  /// A worker that does nothing and knows the function, while nobody else uses the pool.
  private func directWorker(for function: FunctionDefinition) -> EngineWorker? {
    guard driver == nil, active.isEmpty, !isClosing, problem == nil, directSpins > 0,
      runningAlone == nil, alone.isEmpty
    else { return nil }
    for case let worker? in workers where worker.takesDirectly(function) { return worker }
    return nil
  }

  /// Looks for the result until it is there, somebody else comes, or it takes too long. False: nothing was taken.
  private func receiveDirectly(
    from worker: EngineWorker, _ function: FunctionDefinition, _ result: ByteBuffer
  ) -> Bool {
    for _ in 0..<directSpins {
      if worker.hasResult { return worker.receiveDirectly(function, result) }
      if arrivals.pointee.load(ordering: .relaxed) != 0 { return false }
      _ = apus_relax()
    }
    return false
  }
}

extension EngineWorker {
  func takesDirectly(_ function: FunctionDefinition) -> Bool {
    state == .ready && lines == nil && inFlight == 0 && tasksLeft > 0 && outgoing == nil && !isRevoking
      && knows(function.id) && knownShared == shared.count
  }

  /// Sends one small task without remembering it: the caller does, or takes its result before anybody can ask.
  func sendDirectly(
    _ function: FunctionDefinition, _ argument: UnsafeRawBufferPointer
  ) throws(ChannelCorruption) -> Bool {
    let isRaw = function.strides != nil
    let length = isRaw ? argument.count : 4 + argument.count
    let size = recordSize(TaskHeader.size + length)
    guard size <= ChannelLimit.record, try tasks.space(atLeast: size) >= size else { return false }
    var place = tasks.place(TaskHeader.size)
    if !isRaw {
      place.storeBytes(of: UInt32(argument.count), as: UInt32.self)
      place += 4
    }
    place.copyMemory(from: argument.baseAddress!, byteCount: argument.count)
    tasks.place().storeBytes(
      of: TaskHeader(
        kind: isRaw ? TaskHeader.Kind.rawChunk : TaskHeader.Kind.chunk, flags: flags, count: 1,
        function: function.id,
        first: written, length: UInt64(length)), as: TaskHeader.self)
    tasks.publish(size)
    channel.wakeWorker()
    expected = written
    written += 1
    nextSequence += 1
    tasksLeft -= 1
    // A clock costs a tenth of such a call: one in 16 is timed, for all of them.
    if nextSequence & 15 == 0 { directStart = apus_now() }
    return true
  }

  var hasResult: Bool { (try? results.available(atLeast: ResultHeader.size)) ?? 1 > 0 }

  /// Takes the result of the task that was sent directly. False, and nothing is taken, unless it is there as a whole
  /// and as it should be: the usual way looks closer. Nothing that the worker wrote is believed, as there.
  func receiveDirectly(_ function: FunctionDefinition, _ result: ByteBuffer) -> Bool {
    guard let available = try? results.available(), available >= ResultHeader.size else { return false }
    let header = results.place().load(as: ResultHeader.self)
    guard header.sequence == expected, header.length <= UInt64(Channel.ringSize) else { return false }
    let length = Int(header.length)
    guard available >= recordSize(ResultHeader.size + length) else { return false }
    if let strides = function.strides {
      guard header.kind == ResultHeader.Kind.run, header.count == 1, length == strides.output else {
        return false
      }
    } else {
      guard header.kind == ResultHeader.Kind.value else { return false }
    }
    result.removeAll(keepingCapacity: true)
    result.append(contentsOf: UnsafeRawBufferPointer(start: results.place(ResultHeader.size), count: length))
    results.consume(recordSize(ResultHeader.size + length))
    expected = nextSequence
    if nextSequence & 15 == 0 { busyTime += 16 * (apus_now() &- directStart) }
    return true
  }

  /// Remembers a task that was sent directly.
  func adopt(_ span: InputSpan, _ job: EngineJob) {
    mark = apus_now()
    busySince = mark
    chunks.append(Chunk(job: job, span: span, first: expected))
    inFlight = 1
  }
}

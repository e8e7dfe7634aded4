import ApusSystem
import ApusWire
import CApus
import Synchronization

extension EngineWorker {
  /// More functions with a context than this are not kept in a worker: contexts can be large.
  private static let contextLimit = 4

  /// Sends the first tasks of a span in at most `messages` records of `count` tasks, or as many as fit.
  /// Returns how many tasks went; 0: there is no room now.
  func send(_ span: InputSpan, count: Int, messages: Int, job: EngineJob) throws(ChannelCorruption) -> Int {
    guard outgoing == nil else { return 0 }
    if knownShared != shared.count {
      noteTelling(of: job)
      if try !defineShared() { return 0 }
    }
    if !knows(job.function.id) {
      noteTelling(of: job)
      try define(job.function)
      // Nothing else goes out while the definition is on its way.
      if outgoing != nil || !knows(job.function.id) { return 0 }
    }
    var left = span
    for _ in 0..<messages where !left.range.isEmpty && outgoing == nil {
      let sent = try write(left, count: min(count, left.range.count), job: job)
      if sent == 0 { break }
      left.range = left.range.lowerBound + sent..<left.range.upperBound
    }
    let sent = left.range.lowerBound - span.range.lowerBound
    guard sent > 0 else { return 0 }
    tasks.publish()
    note(
      InputSpan(batch: span.batch, range: span.range.lowerBound..<left.range.lowerBound, base: span.base), job
    )
    channel.wakeWorker()
    return sent
  }

  /// Remembers what was sent, together with what it continues.
  private func note(_ span: InputSpan, _ job: EngineJob) {
    if inFlight == 0 {
      mark = apus_now()
      if job.ledger != nil { busySince = mark }
      expected = nextSequence
    }
    if chunks.isEmpty || !chunks[chunks.count - 1].append(span, of: job, from: nextSequence) {
      chunks.append(Chunk(job: job, span: span, first: nextSequence))
    }
    lines?.note(
      nextSequence, span.range.count, call: job.ledger == nil ? nil : job.number, index: span.firstIndex)
    nextSequence += UInt64(span.range.count)
    inFlight += span.range.count
    if job.ledger != nil { tasksLeft -= span.range.count }
  }

  /// Writes one record of the first `count` tasks of a span, or of as many as fit. Returns how many.
  private func write(_ span: InputSpan, count: Int, job: EngineJob) throws(ChannelCorruption) -> Int {
    let batch = span.batch
    var header = TaskHeader(
      kind: TaskHeader.Kind.chunk,
      flags: (job.ledger == nil ? flags & TaskHeader.Flag.marked : flags)
        | (job.options.timeLimit == nil ? 0 : TaskHeader.Flag.timed),
      tries: job.attempts.isEmpty ? 0 : job.tries(of: span.firstIndex), count: 1, function: job.function.id,
      first: written)
    if let bytes = batch.gathered {
      (header.kind, header.length) = (TaskHeader.Kind.large, UInt64(bytes.count))
      guard try stream(header, bytes, owner: batch) else { return 0 }
      written += 1
      return 1
    }
    // A loop over plain memory has no place for marks in the output.
    let strides = lines == nil ? job.function.strides : nil
    let limit = strides.map { min(count, (ChannelLimit.record - ResultHeader.size) / $0.output) } ?? count
    let sent = batch.fitting(
      from: span.range.lowerBound, limit: limit, size: ChannelLimit.record, hasLengths: strides == nil)
    let range = span.range.lowerBound..<span.range.lowerBound + sent
    let bytes = batch.bytes(range)
    (header.count, header.length) = (UInt32(sent), UInt64(bytes.count))
    if strides != nil {
      header.kind = TaskHeader.Kind.rawChunk
      let size = recordSize(TaskHeader.size + bytes.count)
      guard try tasks.space(atLeast: size) >= size else { return 0 }
      tasks.place(TaskHeader.size).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
      tasks.place().storeBytes(of: header, as: TaskHeader.self)
      tasks.advance(size)
    } else if TaskHeader.size + 4 * sent + bytes.count <= ChannelLimit.record {
      header.length = UInt64(4 * sent + bytes.count)
      let size = recordSize(TaskHeader.size + Int(header.length))
      guard try tasks.space(atLeast: size) >= size else { return 0 }
      let lengths = tasks.place(TaskHeader.size).assumingMemoryBound(to: UInt32.self)
      for index in range { lengths[index - range.lowerBound] = UInt32(batch.bytes(index..<index + 1).count) }
      if let base = bytes.baseAddress {
        UnsafeMutableRawPointer(lengths + sent).copyMemory(from: base, byteCount: bytes.count)
      }
      tasks.place().storeBytes(of: header, as: TaskHeader.self)
      tasks.advance(size)
    } else {
      header.kind = TaskHeader.Kind.large
      guard try stream(header, GatheredBytes([bytes]), owner: batch) else { return 0 }
    }
    written += UInt64(sent)
    return sent
  }

  private func define(_ function: FunctionDefinition) throws(ChannelCorruption) {
    if function.carriesContext, !function.isShared,
      contexts.count(where: { !$0.isShared }) == Self.contextLimit
    {
      let unused = contexts.firstIndex { !$0.isShared && $0.function == nil }
      guard try forget(unused ?? contexts.firstIndex { !$0.isShared }!) else { return }
    }
    let bytes = function.bytes.bytes
    let header = TaskHeader(kind: TaskHeader.Kind.define, function: function.id, length: UInt64(bytes.count))
    guard try stream(header, GatheredBytes([bytes]), owner: function) else { return }
    learn(function.id)
    if outgoing != nil { defining = (function.id, apus_now()) }
    if function.carriesContext {
      contexts.append(Context(id: function.id, function: function, isShared: function.isShared))
      if let unused { function.whenUnused(unused) }
    }
  }

  private func noteTelling(of job: EngineJob) { (toldFor, toldBefore) = (job, nextSequence) }

  /// Tells the worker of values that all tasks may refer to. False if more of that is to be sent before anything else.
  private func defineShared() throws(ChannelCorruption) -> Bool {
    while let (number, value) = shared.next(after: knownShared) {
      try define(value)
      guard knows(value.id) else { return false }
      knownShared = number
      if outgoing != nil { return false }
    }
    knownShared = shared.count
    return true
  }

  /// Has the worker let go of the functions with a context that nobody can call any more. False if it could not be
  /// told of all for now.
  func forgetUnused() throws(ChannelCorruption) -> Bool {
    guard state == .ready else { return true }
    var isTold = false
    defer { if isTold { channel.wakeWorker() } }
    while let index = contexts.firstIndex(where: { $0.function == nil }) {
      // Not into the middle of what is being streamed.
      guard outgoing == nil, try forget(index) else { return false }
      isTold = true
    }
    return true
  }

  /// Has the worker let go of a function that it keeps. False if there is no room for the word.
  private func forget(_ index: Int) throws(ChannelCorruption) -> Bool {
    guard try tasks.space(atLeast: TaskHeader.size) >= TaskHeader.size else { return false }
    let id = contexts.remove(at: index).id
    unlearn(id)
    tasks.place().storeBytes(of: TaskHeader(kind: TaskHeader.Kind.forget, function: id), as: TaskHeader.self)
    tasks.publish(TaskHeader.size)
    return true
  }

  /// Starts a record that need not fit the ring. False if not even its header does.
  private func stream(
    _ header: TaskHeader, _ bytes: GatheredBytes, owner: AnyObject
  ) throws(ChannelCorruption) -> Bool {
    guard try tasks.space(atLeast: TaskHeader.size) >= TaskHeader.size else { return false }
    tasks.place().storeBytes(of: header, as: TaskHeader.self)
    tasks.publish(TaskHeader.size)
    outgoing = (bytes, owner)
    _ = try pushOutgoing()
    return true
  }

  /// No more than so much is moved on at a time, however fast the worker reads: others have to be looked after too.
  private static let atATime = 2 * Channel.ringSize

  /// Moves on what is being streamed. True if anything moved.
  func pushOutgoing() throws(ChannelCorruption) -> Bool {
    guard let (bytes, owner) = outgoing else { return false }
    var rest = bytes
    var moved = false
    while rest.count > 0, bytes.count - rest.count < Self.atATime {
      let count = min(rest.count, ChannelLimit.piece)
      guard try tasks.space(atLeast: recordSize(count)) >= recordSize(count) else { break }
      rest.move(count, to: tasks.place())
      tasks.publish(recordSize(count))
      moved = true
    }
    outgoing = rest.count == 0 ? nil : (rest, owner)
    if rest.count == 0 { defining = nil }
    if moved {
      channel.wakeWorker()
      if defining != nil { defining!.movedAt = apus_now() }
    }
    return moved
  }
}

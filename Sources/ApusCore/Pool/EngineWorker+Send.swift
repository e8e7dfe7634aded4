import CApus
import Synchronization

extension EngineWorker {
  /// More functions with a context than this are not kept in a worker: contexts can be large.
  private static let contextLimit = 4

  /// Sends the first `count` tasks of a span, or as many as fit a record. Returns how many; 0: no room now.
  func send(_ span: InputSpan, count: Int, job: EngineJob, now: UInt64) throws(ChannelCorruption) -> Int {
    guard outgoing == nil else { return 0 }
    guard functions.contains(job.function.id) else {
      try define(job.function)
      // Nothing else goes out while the definition is on its way.
      return outgoing == nil ? try send(span, count: count, job: job, now: now) : 0
    }
    let batch = span.batch
    let strides = job.function.strides
    let limit = strides.map { min(count, (ChannelLimit.record - ResultHeader.size) / $0.output) } ?? count
    let sent = batch.fitting(from: span.range.lowerBound, limit: limit, size: ChannelLimit.record)
    let range = span.range.lowerBound..<span.range.lowerBound + sent
    let bytes = batch.bytes(range)
    var header = TaskHeader(
      kind: TaskHeader.Kind.chunk, function: job.function.id, count: UInt32(sent),
      isTimed: job.options.timeLimit == nil ? 0 : 1, first: nextSequence, length: UInt64(bytes.count))
    if strides != nil {
      header.kind = TaskHeader.Kind.rawChunk
      let size = recordSize(TaskHeader.size + bytes.count)
      guard try tasks.space(atLeast: size) >= size else { return 0 }
      tasks.place(TaskHeader.size).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
      tasks.place().storeBytes(of: header, as: TaskHeader.self)
      tasks.publish(size)
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
      tasks.publish(size)
    } else {
      header.kind = TaskHeader.Kind.large
      guard try stream(header, bytes, owner: batch) else { return 0 }
    }
    if inFlight == 0 { mark = now }
    chunks.append(Chunk(job: job, span: InputSpan(batch: batch, range: range, base: span.base), first: nextSequence))
    if inFlight == 0 { expected = nextSequence }
    nextSequence += UInt64(sent)
    inFlight += sent
    channel.wakeWorker()
    return sent
  }

  private func define(_ function: FunctionDefinition) throws(ChannelCorruption) {
    if function.carriesContext, contexts.count == Self.contextLimit {
      guard try tasks.space(atLeast: TaskHeader.size) >= TaskHeader.size else { return }
      let oldest = contexts.removeFirst()
      functions.remove(oldest)
      tasks.place().storeBytes(of: TaskHeader(kind: TaskHeader.Kind.forget, function: oldest), as: TaskHeader.self)
      tasks.publish(TaskHeader.size)
    }
    let bytes = function.bytes.bytes
    let header = TaskHeader(kind: TaskHeader.Kind.define, function: function.id, length: UInt64(bytes.count))
    guard try stream(header, bytes, owner: function) else { return }
    functions.insert(function.id)
    if function.carriesContext { contexts.append(function.id) }
  }

  /// Starts a record that need not fit the ring. False if not even its header does.
  private func stream(
    _ header: TaskHeader, _ bytes: UnsafeRawBufferPointer, owner: AnyObject
  ) throws(ChannelCorruption) -> Bool {
    guard try tasks.space(atLeast: TaskHeader.size) >= TaskHeader.size else { return false }
    tasks.place().storeBytes(of: header, as: TaskHeader.self)
    tasks.publish(TaskHeader.size)
    outgoing = (bytes, owner)
    _ = try pushOutgoing()
    return true
  }

  /// Moves on what is being streamed. True if anything moved.
  func pushOutgoing() throws(ChannelCorruption) -> Bool {
    guard let (bytes, owner) = outgoing else { return false }
    var rest = bytes
    var moved = false
    while !rest.isEmpty {
      let count = min(rest.count, ChannelLimit.piece)
      guard try tasks.space(atLeast: recordSize(count)) >= recordSize(count) else { break }
      tasks.place().copyMemory(from: rest.baseAddress!, byteCount: count)
      tasks.publish(recordSize(count))
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      moved = true
    }
    outgoing = rest.isEmpty ? nil : (rest, owner)
    if moved { channel.wakeWorker() }
    return moved
  }
}

import ApusSystem
import ApusWire
import CApus
import Synchronization

extension EngineWorker {
  /// Buffers for large values grow with what has arrived, not with what was announced, beyond this.
  private static let trustedLength = 64 << 20
  private static let longestReport = 256 << 20

  /// Takes what has come back and gives it to the jobs. Returns how many tasks were finished.
  ///
  /// Nothing that the worker wrote is believed: headers are copied out before they are checked, and every
  /// length is held against the ring and against what was sent.
  func receive(now: UInt64) throws(ChannelCorruption) -> Int {
    let start = results.position
    var finished = 0
    let firstJob = headJob
    // No more than that at a time, however fast the worker writes: others have to be looked after too.
    while results.position &- start < UInt64(4 * Channel.ringSize) {
      if incoming != nil {
        guard try receivePiece(&finished) else { break }
        continue
      }
      let available = try results.available(atLeast: ResultHeader.size)
      guard available >= ResultHeader.size else {
        if available != 0 { throw ChannelCorruption("a result is shorter than its header") }
        try takeOpenRun(&finished)
        break
      }
      try receiveRecord(results.place().load(as: ResultHeader.self), &finished)
    }
    if results.position != start { channel.wakeWorker() }
    if finished > 0 {
      if let firstJob, headJob === firstJob || chunks.isEmpty {
        firstJob.measured(finished, elapsed: now &- mark)
      }
      mark = now
      if inFlight == 0 { endBusy(now) }
    }
    return finished
  }

  private func receiveRecord(_ header: ResultHeader, _ finished: inout Int) throws(ChannelCorruption) {
    guard header.length <= UInt64(Int.max / 2) else {
      throw ChannelCorruption("a result of impossible length")
    }
    let length = Int(header.length)
    let size = recordSize(ResultHeader.size + length)
    if let run = openRun { return try closeRun(run, header, size, &finished) }
    guard let job = headJob else { throw ChannelCorruption("a result for no task") }
    guard header.sequence == expected else { throw ChannelCorruption("a result out of order") }
    switch header.kind {
    case ResultHeader.Kind.value where size > ChannelLimit.record,
      ResultHeader.Kind.failure where size > ChannelLimit.record:
      if header.kind == ResultHeader.Kind.failure, length > Self.longestReport {
        throw ChannelCorruption("the report of a failure is impossibly long")
      }
      results.consume(ResultHeader.size)
      let buffer = ByteBuffer(capacity: min(length, Self.trustedLength))
      willFill(
        UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: min(length, Self.trustedLength)))
      incoming = (buffer, length, header.kind == ResultHeader.Kind.failure)
    case ResultHeader.Kind.value:
      try needPublished(size)
      let bytes = UnsafeRawBufferPointer(start: results.place(ResultHeader.size), count: length)
      finish(1, of: job, &finished) { job.isCancelled ? .stopped(.cancelled) : .value(job.store(bytes)) }
      results.consume(size)
    case ResultHeader.Kind.failure:
      try needPublished(size)
      let bytes = UnsafeRawBufferPointer(start: results.place(ResultHeader.size), count: length)
      finish(1, of: job, &finished) { .failure(job.store(bytes)) }
      results.consume(size)
    case ResultHeader.Kind.overLimit:
      guard child?.memory != nil, length == 0 else { throw ChannelCorruption("a result that may not be") }
      finishOverLimit(job, &finished)
      results.consume(size)
    case ResultHeader.Kind.run:
      guard let stride = job.function.strides?.output,
        (1...chunks[0].span.range.count).contains(Int(header.count)),
        length == Int(header.count) * stride
      else { throw ChannelCorruption("a run of results does not fit its tasks") }
      try needPublished(size)
      takeRun(of: job, from: 0, Int(header.count), stride, &finished)
      results.consume(size)
    default: throw ChannelCorruption("a result of unknown kind \(header.kind)")
    }
  }

  /// A run is published of which values were taken while it was open; its tasks may be over already.
  private func closeRun(
    _ run: OpenRun, _ header: ResultHeader, _ size: Int, _ finished: inout Int
  ) throws(ChannelCorruption) {
    let rest = Int(header.count) - run.taken
    guard header.kind == ResultHeader.Kind.run, header.sequence == run.first, rest >= 0,
      Int(header.length) == Int(header.count) * run.stride,
      rest == 0 || continues(run, by: rest)
    else { throw ChannelCorruption("a run of results does not fit its beginning") }
    try needPublished(size)
    openRun = nil
    if rest > 0 { takeRun(of: run.job, from: run.taken, rest, run.stride, &finished) }
    results.consume(size)
  }

  /// Whether the next `count` tasks can be those of the run.
  private func continues(_ run: OpenRun, by count: Int) -> Bool {
    guard !chunks.isEmpty, chunks[0].job === run.job else { return false }
    return run.first + UInt64(run.taken) == expected && count <= chunks[0].span.range.count
  }

  private func needPublished(_ size: Int) throws(ChannelCorruption) {
    guard size <= Channel.ringSize, try results.available(atLeast: size) >= size else {
      throw ChannelCorruption("a result is longer than what was published")
    }
  }

  /// Takes from the run that the worker is still at what it has finished of it.
  private func takeOpenRun(_ finished: inout Int) throws(ChannelCorruption) {
    guard let job = headJob, let stride = job.function.strides?.output else { return }
    if handsBackLate { return }
    // Acquire: pairs with the release after each value.
    let progress = channel.progress.pointee.load(ordering: .acquiring)
    guard progress / 2 > expected else { return }
    let count = min(Int(clamping: progress / 2 - expected), chunks[0].span.range.count)
    let header = results.place().load(as: ResultHeader.self)
    var run = openRun ?? OpenRun(first: expected, stride: stride, job: job, taken: 0)
    // The worker closes a run before it claims an element of the next one, so a run that is still open here
    // holds all that `progress` counts. Anything else was published since we looked: the next look finds it.
    // A dead worker may have closed it and not come to publish it.
    guard header.kind == ResultHeader.Kind.openRun || (isDead && header.kind == ResultHeader.Kind.run),
      header.sequence == run.first, run.first + UInt64(run.taken) == expected, run.job === job
    else { return }
    guard recordSize(ResultHeader.size + (run.taken + count) * stride) <= Channel.ringSize else {
      throw ChannelCorruption("a run of results is longer than the ring")
    }
    takeRun(of: job, from: run.taken, count, stride, &finished)
    run.taken += count
    openRun = run
  }

  /// Takes `count` values of the run at the read position, from its value `start` on. They are of the head chunk.
  private func takeRun(
    of job: EngineJob, from start: Int, _ count: Int, _ stride: Int, _ finished: inout Int
  ) {
    let source = UnsafeRawPointer(results.place(ResultHeader.size + start * stride))
    let index = chunks[0].span.firstIndex
    if let destination = job.destination, stop == nil, !job.isCancelled {
      (destination + index * stride).copyMemory(from: source, byteCount: count * stride)
      return finish(count, of: job, &finished) { .placed }
    }
    for offset in 0..<count {
      finish(1, of: job, &finished) {
        if job.isCancelled { return .stopped(.cancelled) }
        let value = source + offset * stride
        guard let destination = job.destination else {
          return .value(job.store(UnsafeRawBufferPointer(start: value, count: stride)))
        }
        (destination + (index + offset) * stride).copyMemory(from: value, byteCount: stride)
        return .placed
      }
    }
  }

  private func receivePiece(_ finished: inout Int) throws(ChannelCorruption) -> Bool {
    guard let (bytes, length, isFailure) = incoming else { return false }
    let count = min(length - bytes.count, ChannelLimit.piece)
    guard try results.available(atLeast: recordSize(count)) >= recordSize(count) else { return false }
    bytes.append(contentsOf: UnsafeRawBufferPointer(start: results.place(), count: count))
    results.consume(recordSize(count))
    channel.wakeWorker()
    if bytes.count == length {
      incoming = nil
      guard let job = headJob else { throw ChannelCorruption("a result for no task") }
      finish(1, of: job, &finished) {
        isFailure ? .failure(job.store(bytes.bytes)) : .large(LargeValue(bytes: bytes))
      }
    }
    return true
  }

  /// The first `count` tasks of the head chunk, which is of that job, are done.
  @inline(__always)
  private func finish(
    _ count: Int, of job: EngineJob, _ finished: inout Int, _ content: () -> Delivery.Content
  ) {
    let index = chunks[0].span.firstIndex
    if let stop, stop.sequence == expected {
      // It ended after it was asked to: the request counts, whatever it made of it.
      job.deliver(.stopped(stop.reason), index: index, by: self)
      self.stop = nil
      channel.cancelled.pointee.store(0, ordering: .relaxed)
    } else {
      let content = content()
      if content.isValue, !job.isCancelled, job.ledger != nil { ledger.succeed(job, index, count, by: self) }
      job.deliver(content, index: index, count: count, by: self)
    }
    drop(count, of: job, &finished)
  }

  /// The task at the head is over, and is the engine's to deliver.
  private func finishOverLimit(_ job: EngineJob, _ finished: inout Int) {
    if stop != nil || job.isCancelled {
      return finish(1, of: job, &finished) { .stopped(.cancelled) }
    }
    let span = chunks[0].span
    let first = span.range.lowerBound
    overLimit.append((job, InputSpan(batch: span.batch, range: first..<first + 1, base: span.base)))
    drop(1, of: job, &finished)
  }

  @inline(__always)
  private func drop(_ count: Int, of job: EngineJob, _ finished: inout Int) {
    touched.add(job)
    finished += count
    job.inFlight -= count
    inFlight -= count
    if chunks[0].dropFirst(count) { _ = chunks.popFirst() }
    // What was taken back leaves a gap in the numbers.
    expected = chunks.isEmpty ? nextSequence : chunks[0].first
  }
}

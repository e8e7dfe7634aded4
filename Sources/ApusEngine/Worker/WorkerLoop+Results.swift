import ApusWire
import CApus
import Synchronization

// What the worker hands back.
extension WorkerLoop {
  /// Gives the value of the element that is being worked on to the parent. The runner calls it once.
  package func emit(_ value: UnsafeRawBufferPointer) throws {
    // What the body printed is in the pipe before its result can be seen.
    flushOutput()
    let sequence = channel.progress.pointee.load(ordering: .relaxed) / 2
    if try isOverLimit(sequence) { return }
    try write(
      ResultHeader(
        kind: ResultHeader.Kind.value, count: 1, sequence: sequence, length: UInt64(value.count)), value)
  }

  /// The same of a value whose bytes lie in several places, one after the other.
  package func emit(_ pieces: [UnsafeRawBufferPointer]) throws {
    let value = GatheredBytes(pieces)
    guard value.count > ChannelLimit.record else {
      let whole = ByteBuffer(capacity: value.count)
      for piece in pieces { whole.append(contentsOf: piece) }
      return try emit(whole.bytes)
    }
    flushOutput()
    let sequence = channel.progress.pointee.load(ordering: .relaxed) / 2
    if try isOverLimit(sequence) { return }
    try stream(
      ResultHeader(
        kind: ResultHeader.Kind.value, count: 1, sequence: sequence, length: UInt64(value.count)), value)
  }

  /// Tells the parent, instead of what the element has come to, that it has taken too much memory, if it has.
  func isOverLimit(_ sequence: UInt64) throws -> Bool {
    guard isWatched, memory?.hasBreached() ?? false else { return false }
    let header = ResultHeader(kind: ResultHeader.Kind.overLimit, count: 1, sequence: sequence, length: 0)
    try write(header, UnsafeRawBufferPointer(start: nil, count: 0))
    return true
  }

  func fail(_ report: FailureReport, _ sequence: UInt64) throws {
    flushOutput()
    defer { channel.progress.pointee.store(sequence &* 2 &+ 2, ordering: .releasing) }
    if try isOverLimit(sequence) { return }
    scratch.removeAll(keepingCapacity: true)
    report.append(to: scratch)
    let bytes = scratch.bytes
    try write(
      ResultHeader(
        kind: ResultHeader.Kind.failure, count: 1, sequence: sequence, length: UInt64(bytes.count)), bytes)
  }

  func write(_ header: ResultHeader, _ bytes: UnsafeRawBufferPointer) throws {
    let size = recordSize(ResultHeader.size + bytes.count)
    if size <= ChannelLimit.record {
      try waitForSpace(size)
      results.place().storeBytes(of: header, as: ResultHeader.self)
      if let source = bytes.baseAddress {
        results.place(ResultHeader.size).copyMemory(from: source, byteCount: bytes.count)
      }
      results.publish(size)
      return notify()
    }
    try stream(header, GatheredBytes([bytes]))
  }

  /// Writes a record that need not fit the ring.
  private func stream(_ header: ResultHeader, _ bytes: GatheredBytes) throws {
    try waitForSpace(ResultHeader.size)
    results.place().storeBytes(of: header, as: ResultHeader.self)
    results.publish(ResultHeader.size)
    notify()
    var rest = bytes
    while rest.count > 0 {
      let count = min(rest.count, ChannelLimit.piece)
      try waitForSpace(recordSize(count))
      rest.move(count, to: results.place())
      results.publish(recordSize(count))
      notify()
    }
  }

  /// What the element in hand printed is in the pipe then.
  func flushOutput() {
    if apus_stdout_pending() != 0 { apus_stdout_flush() }
    if isMarked { endMark() }
  }
}

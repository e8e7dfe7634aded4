package import ApusSystem
package import ApusWire
import CApus
import Synchronization

/// A worker elsewhere, as the engine's process has it: the near image of its channel.
///
/// It plays the worker's part in the channel. Under the engine's lock, all of it.
package final class DistantWorker: DistantProcess {
  package private(set) var pid: Int32 = 0
  package let place: String?
  package private(set) var standardError = ""
  package var deathNotice: Int32? { nil }

  package let channel: Channel
  package let generation: UInt32
  private let number: Int
  private let send: (ByteBuffer) -> Void

  private var tasks: RingReader
  private var results: RingWriter
  /// How far the task ring has been sent, and the result ring been told to be free.
  private var sent: UInt64 = 0
  private var toldConsumed: UInt64 = 0
  private var toldCancelled: UInt64 = 0
  private var revokesBefore = ChannelFrame.none
  private var isKilled = false
  private var ending: WorkerEnding?

  /// - Parameter send: Sends a frame, without waiting.
  package init(
    number: Int, generation: UInt32, place: String, send: @escaping (ByteBuffer) -> Void
  ) throws(ProcessError) {
    (self.number, self.generation, self.place, self.send) = (number, generation, place, send)
    channel = try Channel()
    (tasks, results) = (channel.taskReader, channel.resultWriter)
    channel.needsFences.pointee.store(1, ordering: .relaxed)
    channel.whenWoken { [weak self] in self?.flush() }
    send(ChannelFrame(ChannelFrame.Kind.start, worker: number, generation: generation).buffer())
  }

  // MARK: To the worker

  /// Sends what the engine has done since the last time.
  private func flush() {
    guard ending == nil, !isKilled, let available = try? tasks.available(atLeast: tasks.capacity),
      let space = try? results.space(atLeast: results.capacity)
    else { return }
    let count = Int(tasks.position &+ UInt64(available) &- sent)
    let consumed = results.position &- UInt64(results.capacity - space)
    let cancelled = channel.cancelled.pointee.load(ordering: .relaxed)
    // What is free again is told with other news, or when it is much: a record always fits the rest.
    guard
      count > 0 || cancelled != toldCancelled || revokesBefore != ChannelFrame.none
        || consumed &- toldConsumed >= UInt64(ChannelLimit.record)
    else { return }
    var frame = ChannelFrame(ChannelFrame.Kind.moved, worker: number, generation: generation)
    (frame.consumed, frame.cancelled, frame.revocation) = (consumed, cancelled, revokesBefore)
    frame.place = channel.place.pointee.load(ordering: .relaxed)
    frame.seed = channel.seed.pointee.load(ordering: .relaxed)
    frame.published = UInt32(count)
    let buffer = frame.buffer(count)
    buffer.append(
      contentsOf: UnsafeRawBufferPointer(start: tasks.place(Int(sent &- tasks.position)), count: count))
    sent &+= UInt64(count)
    (toldConsumed, toldCancelled, revokesBefore) = (consumed, cancelled, ChannelFrame.none)
    send(buffer)
  }

  package func noteCancellation() { flush() }

  package func revoke(before next: UInt64) {
    revokesBefore = next
    flush()
  }

  /// Has it ended, which it will be told to have: what it has begun by then is known there alone.
  package func kill() {
    guard ending == nil, !isKilled else { return }
    isKilled = true
    send(ChannelFrame(ChannelFrame.Kind.kill, worker: number, generation: generation).buffer())
  }

  /// Nothing more will be heard of it.
  package func lose(_ problem: String) {
    if ending == nil { ending = WorkerEnding(status: .unknown, problem: problem) }
  }

  package func reap() -> WorkerEnding? { ending }

  // MARK: From the worker

  /// Takes in a frame that the worker's side sent. What it can't have sent is an error.
  package func accept(_ frame: ChannelFrame, _ bytes: UnsafeRawBufferPointer) throws(ChannelCorruption) {
    guard ending == nil else { return }
    if frame.kind == ChannelFrame.Kind.ended {
      guard let (ending, text) = try? WorkerEnding.read(bytes) else {
        throw ChannelCorruption("the end of a worker is garbled")
      }
      (self.ending, standardError) = (ending, text)
      return
    }
    let freed = frame.consumed &- tasks.position
    guard freed <= sent &- tasks.position, Int(frame.published) % recordAlignment == 0,
      try results.space(atLeast: bytes.count) >= bytes.count
    else {
      throw ChannelCorruption("more came from a worker than there is room for")
    }
    pid = frame.process
    if let source = bytes.baseAddress { results.place().copyMemory(from: source, byteCount: bytes.count) }
    results.publish(Int(frame.published))
    tasks.consume(Int(freed))
    channel.begun.pointee.store(apus_now() &- frame.begunAgo, ordering: .relaxed)
    // Not kept: a fault may be survived.
    channel.crashed.pointee.store(frame.isCrashed != 0 ? apus_now() : 0, ordering: .relaxed)
    channel.progress.pointee.store(frame.progress, ordering: .releasing)
    if frame.revocation != ChannelFrame.none {
      // The engine knows what it asked for.
      channel.revokedFrom.pointee.store(frame.revocation, ordering: .relaxed)
      channel.revocation.pointee.store(Revocation.decided, ordering: .relaxed)
    }
    if frame.isReady != 0 {
      let identity = [frame.identity.0, frame.identity.1, frame.identity.2]
      for (part, word) in identity.enumerated() {
        channel.identity(part).pointee.store(word, ordering: .relaxed)
      }
      channel.ready.pointee.store(Channel.magic, ordering: .releasing)
    }
  }
}

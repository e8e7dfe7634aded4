import ApusSystem
package import ApusWire
import CApus
import Synchronization

/// A worker whose engine is elsewhere, beside its real channel. It plays the engine's part there: moves tasks that came
/// by frames into the ring, and results out of it into frames. One thread, all of it.
package final class HostedWorker {
  package let generation: UInt32
  package let process: any WorkerProcess
  /// What it wrote that no sound worker writes.
  package private(set) var corruption: String?
  package let number: Int
  private let channel: Channel
  private var tasks: RingWriter
  private var results: RingReader
  /// How far the result ring has been sent, and what else has been told.
  private var sent: UInt64 = 0
  private var toldConsumed: UInt64 = 0
  private var toldProgress: UInt64 = 0
  private var toldReady = false
  private var toldCrash = false
  private var lastFrame: UInt64 = 0
  /// The answer to what the engine asked for; and whether the worker has not passed yet what was taken back.
  private var answer = ChannelFrame.none
  private var isRevoking = false
  private var isAwaited = false
  /// Once it was killed: the most that `progress` can truly be. Nothing after that is begun.
  private var lastProgress: UInt64?
  /// Whether all that it had done when it was killed has been told.
  private var isSettled = false
  /// Whether the engine takes it for ended, though its thread goes on.
  package private(set) var isGivenUp = false

  /// Behind all tasks.
  private static let noTask: UInt64 = 1 << 62
  /// Results that come one by one are gathered for so long, or until they are so many bytes.
  private static let gathering: UInt64 = 50_000  // ns
  private static let gathered = 16 << 10
  /// What a run has done that is still open is sent that often.
  private static let openRunInterval: UInt64 = 1_000_000  // ns

  package init(number: Int, generation: UInt32, process: any WorkerProcess, channel: Channel) {
    (self.number, self.generation, self.process, self.channel) = (number, generation, process, channel)
    (tasks, results) = (channel.taskWriter, channel.resultReader)
    openGate()
  }

  // MARK: From the engine

  package func accept(_ frame: ChannelFrame, _ bytes: UnsafeRawBufferPointer) throws(ChannelCorruption) {
    // It begins nothing more: the gate and what was taken back stay as they are.
    if lastProgress != nil { return }
    let freed = frame.consumed &- results.position
    guard freed <= sent &- results.position, bytes.count % recordAlignment == 0,
      try tasks.space(atLeast: bytes.count) >= bytes.count
    else {
      throw ChannelCorruption("more came for a worker than there is room for")
    }
    results.consume(Int(freed))
    channel.place.pointee.store(frame.place, ordering: .relaxed)
    channel.seed.pointee.store(frame.seed, ordering: .relaxed)
    if let source = bytes.baseAddress { tasks.place().copyMemory(from: source, byteCount: bytes.count) }
    tasks.publish(bytes.count)
    if channel.cancelled.pointee.load(ordering: .relaxed) != frame.cancelled {
      channel.cancelled.pointee.store(frame.cancelled, ordering: .releasing)
      if frame.cancelled != 0 { process.noteCancellation() }
    }
    if frame.revocation != ChannelFrame.none { revoke(before: frame.revocation) }
    channel.wakeWorker()
  }

  private func revoke(before next: UInt64) {
    checkRevocation()
    // Nothing, while the worker has not passed what was taken back before.
    answer = next
    guard !isRevoking else { return }
    isRevoking = true
    answer = channel.decideRevocation(before: next)
    if answer == next { endRevocation() }
  }

  private func checkRevocation() {
    if isRevoking, lastProgress == nil, channel.hasPassedRevocation { endRevocation() }
  }

  private func endRevocation() {
    isRevoking = false
    channel.revocation.pointee.store(Revocation.none, ordering: .releasing)
    openGate()
  }

  /// Ends it. What can't be killed begins nothing more from here on, and which element that leaves it in is settled.
  package func kill() {
    guard lastProgress == nil else { return }
    checkRevocation()
    // If it has not passed what was taken back before, that stands: nothing behind it was sent, and an element that the
    // engine has given to another must not become one that was begun.
    if !isRevoking { _ = channel.decideRevocation(before: Self.noTask) }
    lastProgress = 2 &* channel.revokedFrom.pointee.load(ordering: .relaxed)
    process.kill()
  }

  /// How it ended for the engine, told once: killed, and in an element that nobody can end.
  package func takeEnding() -> WorkerEnding? {
    guard isSettled, !isGivenUp, !process.canBeKilled else { return nil }
    isGivenUp = true
    return WorkerEnding(status: .unknown, goesOn: true)
  }

  // MARK: To the engine

  package enum News {
    case nothing
    /// There is some, and more will be there soon.
    case later
    case frame(ByteBuffer)
  }

  /// What the worker has done since the last time. One that wrote what no sound worker writes is killed.
  package func collect(now: UInt64, isLast: Bool = false) -> News {
    guard corruption == nil, !isGivenUp else { return .nothing }
    do { return try collectSound(now: now, isLast: isLast) } catch {
      corruption = error.detail
      kill()
      return .nothing
    }
  }

  private func collectSound(now: UInt64, isLast: Bool) throws(ChannelCorruption) -> News {
    checkRevocation()
    // Before the rings: what it counts is in them then. Acquire: pairs with the release after each value.
    var progress = channel.progress.pointee.load(ordering: .acquiring)
    if let lastProgress { progress = min(progress, lastProgress) }
    let available = try results.available(atLeast: results.capacity)
    let space = try tasks.space(atLeast: tasks.capacity)
    let count = Int(results.position &+ UInt64(available) &- sent)
    guard count % recordAlignment == 0 else {
      throw ChannelCorruption("a result ends in the middle of a record")
    }
    let consumed = tasks.position &- UInt64(tasks.capacity - space)
    let isReady = channel.ready.pointee.load(ordering: .acquiring) == Channel.magic
    let isCrashed = channel.hasCrashedInHead
    let isUrgent =
      space == tasks.capacity || count >= Self.gathered || answer != ChannelFrame.none || isLast
      || isReady != toldReady || isCrashed != toldCrash || lastProgress != nil
    let (ahead, known) = openRun(
      at: available, progress,
      isWanted: isLast || lastProgress != nil || now &- lastFrame >= Self.openRunInterval, isLast)
    if lastProgress != nil, !process.canBeKilled, !isLast {
      // Its run is about to be published, by a thread that lives.
      guard known == progress else { return .later }
      // Where nothing could be taken back it may begin more: then only its end tells what it has begun.
      isSettled = lastProgress != 2 &* Self.noTask
    }
    guard
      count > 0 || known != toldProgress || isReady != toldReady || isCrashed != toldCrash
        || answer != ChannelFrame.none || consumed &- toldConsumed >= UInt64(ChannelLimit.record)
    else { return .nothing }
    guard isUrgent || now &- lastFrame >= Self.gathering else { return .later }

    var frame = ChannelFrame(ChannelFrame.Kind.moved, worker: number, generation: generation)
    frame.process = process.pid
    (frame.consumed, frame.progress, frame.revocation) = (consumed, known, answer)
    let begun = channel.begun.pointee.load(ordering: .relaxed)
    frame.begunAgo = begun <= now ? min(now &- begun, 1 << 60) : 0
    frame.isCrashed = isCrashed ? 1 : 0
    (frame.published, frame.ahead) = (UInt32(count), UInt32(ahead))
    if isReady, !toldReady {
      frame.isReady = 1
      let identity = (0..<3).map { channel.identity($0).pointee.load(ordering: .relaxed) }
      frame.identity = (identity[0], identity[1], identity[2])
    }
    let buffer = frame.buffer(count + ahead)
    let start = results.place(Int(sent &- results.position))
    buffer.append(contentsOf: UnsafeRawBufferPointer(start: start, count: count + ahead))
    sent &+= UInt64(count)
    (toldConsumed, toldProgress, toldReady, answer) = (consumed, known, isReady, ChannelFrame.none)
    toldCrash = isCrashed
    lastFrame = now
    return .frame(buffer)
  }

  /// What the worker has done of a run that it has not published: so many bytes behind what was, if they are wanted.
  /// And its progress as far as the other side has, with them, what it counts.
  private func openRun(
    at offset: Int, _ progress: UInt64, isWanted: Bool, _ isDead: Bool
  ) -> (bytes: Int, progress: UInt64) {
    guard offset + ResultHeader.size <= results.capacity else { return (0, progress) }
    let header = results.place(offset).loadUnaligned(as: ResultHeader.self)
    let isClosed = header.kind == ResultHeader.Kind.run
    guard header.kind == ResultHeader.Kind.openRun || isClosed, progress / 2 > header.sequence,
      header.position == results.position &+ UInt64(offset)
    else { return (0, progress) }
    let withoutIt = (0, max(toldProgress, 2 &* header.sequence &+ 1))
    // It may just be about to be published. A dead worker did not come to that.
    if isClosed, !isDead || header.count == 0 { return withoutIt }
    // While the worker closes it, this may be too much, and the other side has use for a part.
    let stride = isClosed ? header.length / UInt64(header.count) : header.length
    let bytes = (progress / 2 &- header.sequence).multipliedReportingOverflow(by: stride)
    guard isWanted, !bytes.overflow, bytes.partialValue <= UInt64(results.capacity) else { return withoutIt }
    let size = ResultHeader.size + Int(bytes.partialValue)
    return offset + size <= results.capacity ? (size, progress) : withoutIt
  }

  // MARK: Waiting

  /// Has the worker ring the bell at the next thing that it does. Followed by a barrier.
  package func requestWakeUp() {
    isAwaited = true
    channel.wakeUpRequest.pointee.store(1, ordering: .relaxed)
    channel.gate.pointee.store(0, ordering: .releasing)
  }

  /// Whether it fences for itself.
  package var fences: Bool { channel.workerFences }

  package func endWakeUpRequest() {
    isAwaited = false
    channel.wakeUpRequest.pointee.store(0, ordering: .relaxed)
    openGate()
  }

  private func openGate() {
    guard !isRevoking, !isAwaited, lastProgress == nil else { return }
    channel.gate.pointee.store(channel.workerFences ? 0 : .max, ordering: .relaxed)
  }
}

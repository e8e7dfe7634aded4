@testable import ApusEngine
@testable import ApusSystem
@testable import ApusWire
import CApus
import Testing

/// What comes from another rank is checked as what comes from a worker is: an error, never a trap.
@Suite struct DistanceTests {
  private func worker(_ sent: Box) throws -> DistantWorker {
    try DistantWorker(number: 0, generation: 1, place: "rank 1") { sent.frames.append($0) }
  }

  private final class Box { var frames: [ByteBuffer] = [] }

  private func job(_ dice: inout SystemRandomNumberGenerator) -> EngineJob {
    EngineJob(
      FunctionDefinition(
        bytes: ByteBuffer(), carriesContext: false,
        strides: Bool.random(using: &dice) ? (8, 8) : nil))
  }

  @Test func framesOfNonsenseAreErrors() throws {
    var dice = SystemRandomNumberGenerator()
    var corruptions = 0
    for _ in 0..<400 {
      let sent = Box()
      let distant = try worker(sent)
      let engine = EngineWorker(
        slot: 0, process: distant, channel: distant.channel, touched: TouchedJobs(),
        ledger: TaskLedger(EventStream(), Event.Source("test")), now: apus_now())
      engine.state = .ready
      let job = job(&dice)
      let bytes = ByteBuffer()
      for number in 0..<64 { bytes.append(number) }
      let batch = InputBatch(raw: bytes.baseAddress, stride: 8, count: 64, owner: bytes)
      let coded = InputBatch(coded: bytes, ends: (1...64).map { $0 * 8 })
      _ = try engine.send(
        InputSpan(batch: job.function.strides == nil ? coded : batch, range: 0..<64, base: 0), count: 64,
        messages: 1, job: job)
      do {
        for _ in 0..<40 {
          var frame = ChannelFrame(ChannelFrame.Kind.moved, worker: 0, generation: 1)
          func odd(_ limit: UInt64) -> UInt64 {
            Int.random(in: 0..<12, using: &dice) == 0
              ? .random(in: 0 ... .max, using: &dice) : .random(in: 0...limit, using: &dice)
          }
          (frame.consumed, frame.progress, frame.begunAgo) = (odd(64), odd(130), odd(1000))
          if Int.random(in: 0..<6, using: &dice) == 0 { frame.revocation = odd(64) }
          if Int.random(in: 0..<9, using: &dice) == 0 { frame.kind = ChannelFrame.Kind.ended }
          let content = ByteBuffer()
          if Bool.random(using: &dice) {
            content.append(
              ResultHeader(
                kind: .random(in: 0...5, using: &dice), count: .random(in: 0...3, using: &dice),
                sequence: odd(3), length: odd(64)))
          }
          for _ in 0..<Int.random(in: 0..<8, using: &dice) {
            content.append(UInt64.random(in: 0 ... .max, using: &dice))
          }
          content.pad(to: 32)
          frame.published = UInt32(content.count)
          let buffer = frame.buffer()
          buffer.append(contentsOf: content.bytes)
          if let (frame, rest) = ChannelFrame.read(buffer) { try distant.accept(frame, rest) }
          _ = engine.hasNews(isLast: true)
          _ = try engine.receive(now: apus_now())
          engine.checkRevocation()
          if Int.random(in: 0..<8, using: &dice) == 0 { _ = engine.revoke() }
        }
      } catch { corruptions += 1 }  // corruption, and no other error
      #expect(!sent.frames.isEmpty)
    }
    #expect(corruptions > 0)
  }

  /// No more than what there is room for is ever accepted, and a short frame is none.
  @Test func framesBeyondTheRingAreRefused() throws {
    let sent = Box()
    let distant = try worker(sent)
    var frame = ChannelFrame(ChannelFrame.Kind.moved, worker: 0, generation: 1)
    frame.published = UInt32(Channel.ringSize + 32)
    let buffer = frame.buffer()
    _ = buffer.uninitialized(count: Channel.ringSize + 32)
    let (read, rest) = try #require(ChannelFrame.read(buffer))
    #expect(throws: ChannelCorruption.self) { try distant.accept(read, rest) }
    frame.published = 8
    #expect(ChannelFrame.read(frame.buffer()) == nil)
    frame.published = 0
    frame.consumed = 32
    let (early, nothing) = try #require(ChannelFrame.read(frame.buffer()))
    #expect(throws: ChannelCorruption.self) { try distant.accept(early, nothing) }
  }

  @Test(arguments: [
    ExitStatus.exited(3), .signalled(9, coreDumped: false), .signalled(11, coreDumped: true), .unknown,
  ])
  func endsComeBack(status: ExitStatus) throws {
    for problem in [nil, "it could not be started"] {
      let buffer = ByteBuffer()
      let goesOn = status == .unknown
      WorkerEnding(status: status, problem: problem, goesOn: goesOn).append(
        to: buffer, standardError: "last words\n")
      let (ending, standardError) = try WorkerEnding.read(buffer.bytes)
      #expect(ending.status == status && ending.problem == problem && standardError == "last words\n")
      #expect(ending.goesOn == goesOn)
    }
    #expect(throws: WorkerProtocolError.self) {
      try WorkerEnding.read(UnsafeRawBufferPointer(start: nil, count: 0))
    }
  }
}

@testable import ApusEngine
@testable import ApusWire
import CApus
import Glibc
import Synchronization
import TestSupport
import Testing

/// A worker that writes what it likes into its channel, sound records among nonsense. The parent must neither
/// trap nor write where it should not, and must account for every task. `APUS_FUZZ_ITERATIONS` sets how many
/// records.
@Suite struct ChannelFuzzTests {
  private static let iterations =
    getenv("APUS_FUZZ_ITERATIONS").flatMap { Int(String(cString: $0)) } ?? 50_000
  private static let canary: UInt8 = 0x55

  @Test(.blocks) func nothingThatAWorkerWritesHarmsTheParent() throws {
    try #require(Self.iterations > 0)
    let parts = try FakeWorker.Parts()
    var records = 0
    var seed: UInt64 = 0
    while records < Self.iterations {
      parts.reset()
      records += try Self.play(seed: seed, parts)
      seed += 1
    }
  }

  /// Returns how many records the worker wrote.
  private static func play(seed: UInt64, _ parts: FakeWorker.Parts) throws -> Int {
    var dice = Dice(seed)
    var records = 0
    let fake = try FakeWorker(parts)
    let size = 1 << 14
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 2 * size, alignment: 32)
    defer { memory.deallocate() }
    memset(memory, Int32(canary), 2 * size)
    // Each job has half of the memory, and tasks for a part of it.
    let narrow = makeJob(strides: (8, 1), destination: memory)
    let wide = makeJob(strides: (8, 16), destination: memory + size)
    let jobs = [makeJob(), makeJob(strides: (8, 8)), narrow, wide]
    var given = [0, 0, 0, 0]
    for index in [0, 1, 2, 3].shuffled(using: &dice) {
      given[index] = try fake.give(jobs[index], Int.random(in: 1...100, using: &dice))
    }
    for _ in 0..<Int.random(in: 1...12, using: &dice) {
      write(fake, &dice)
      records += 1
      do {
        _ = try fake.worker.receive(now: apus_now())
        _ = fake.worker.hasNews(isLast: true)
        fake.worker.checkRevocation()
        if Int.random(in: 0..<8, using: &dice) == 0 { _ = fake.worker.revoke() }
        if Int.random(in: 0..<8, using: &dice) == 0 { fake.worker.askToStop(.cancelled, killAt: 0) }
        _ = try fake.worker.pushOutgoing()
      } catch { break }  // corruption, and no other error
    }
    let inFlight = jobs.reduce(0) { $0 + $1.inFlight }
    #expect(inFlight == fake.worker.inFlight, "seed \(seed)")
    for (job, given) in zip(jobs, given) {
      let told = job.inbox.deliveries.flatMap { $0.index..<$0.index + $0.count }
      #expect(Set(told).count == told.count && told.allSatisfy { (0..<given).contains($0) }, "seed \(seed)")
      #expect(told.count + job.inFlight + job.queued == given, "seed \(seed)")
      #expect(job.inbox.bytes.count <= Channel.ringSize, "seed \(seed)")
    }
    let untouched = [UInt8](repeating: canary, count: size)
    let harmed =
      memcmp(memory + given[2], untouched, size - given[2]) != 0
      || memcmp(memory + size + given[3] * 16, untouched, size - given[3] * 16) != 0
    #expect(!harmed, "seed \(seed)")
    return records
  }

  /// One thing that a worker might do: mostly nearly right, so that it is not refused at the first look.
  private static func write(_ fake: FakeWorker, _ dice: inout Dice) {
    func odd(_ value: UInt64) -> UInt64 {
      switch Int.random(in: 0..<12, using: &dice) {
      case 0: .random(in: 0...UInt64.max, using: &dice)
      case 1: value &+ 1
      case 2: value &- 1
      case 3: .random(in: 0...200, using: &dice)
      case 4: 1 << UInt64.random(in: 0..<64, using: &dice)
      default: value
      }
    }
    let worker = fake.worker
    let kinds = [1, 1, 2, 2, 3, 4, 5, 0, UInt32.max]
    let first = worker.openRun.map(\.first) ?? worker.expected
    let count = UInt32(truncatingIfNeeded: odd(UInt64.random(in: 0...100, using: &dice)))
    let stride = UInt64([0, 1, 8, 16].randomElement(using: &dice)!)
    let length = odd(UInt64(count) &* stride)
    let header = ResultHeader(
      kind: kinds.randomElement(using: &dice)!, count: count, sequence: odd(first), length: length)
    let bytes = (0..<min(Int(clamping: length), 4096)).map { _ in UInt8.random(in: 0...255, using: &dice) }
    fake.place(header, bytes)
    let published = Int(clamping: odd(UInt64(recordSize(ResultHeader.size + bytes.count))))
    switch Int.random(in: 0..<6, using: &dice) {
    case 0: break  // an open run, perhaps
    case 1: fake.results.publish(published)
    default: fake.results.publish(recordSize(ResultHeader.size + bytes.count))
    }
    if Bool.random(using: &dice) {
      let progress =
        2 &* (worker.expected &+ UInt64.random(in: 0...120, using: &dice))
        &+ UInt64.random(in: 0...1, using: &dice)
      fake.theirs.progress.pointee.store(odd(progress), ordering: .releasing)
    }
    if Int.random(in: 0..<10, using: &dice) == 0 {
      let words = [
        fake.theirs.gate, fake.theirs.begun, fake.theirs.revocation, fake.theirs.revokedTo,
        fake.theirs.sleeping,
      ]
      words.randomElement(using: &dice)!.pointee.store(odd(1), ordering: .relaxed)
    }
  }

  /// The reports of failures come from a worker too. In a process of its own: it must not end with a signal.
  @Test func reportsOfFailures() async {
    await #expect(processExitsWith: .success) {
      let sound = ByteBuffer()
      FailureReport(.call, WorkerProtocolError("sound")).append(to: sound)
      FailureReport(phase: .call, typeName: "E", text: "t", error: TravellingError(text: "travels")).append(
        to: sound)
      var dice = Dice(1)
      for _ in 0..<5000 {
        var bytes = Array(sound.bytes)
        for _ in 0..<Int.random(in: 1...6, using: &dice) {
          bytes[Int.random(in: 0..<bytes.count, using: &dice)] = UInt8.random(in: 0...255, using: &dice)
        }
        bytes.removeLast(Int.random(in: 0..<bytes.count / 4, using: &dice))
        bytes.withUnsafeBytes { _ = try? FailureReport(decoding: $0) }
      }
    }
  }

  /// A report whose error's type is named by a place in the program that holds no type.
  @Test func anErrorsTypeMayBeNamedByANonsensicalPlace() async {
    await #expect(processExitsWith: .success) {
      let sound = ByteBuffer()
      FailureReport(phase: .call, typeName: "E", text: "t", error: PrivateError(number: 1)).append(to: sound)
      // Behind phase, two texts and the kind of reference: 20 bytes of the image's identity, then the offset.
      let offset = 1 + 5 + 5 + 1 + 20
      let image = Array(sound.bytes)
      precondition(image[11] == 1 || image[11] == 0)
      var dice = Dice(1)
      for _ in 0..<5000 {
        var bytes = image
        let place = UInt32.random(in: 0...0x40_0000, using: &dice)
        for byte in 0..<4 { bytes[offset + byte] = UInt8(truncatingIfNeeded: place >> (8 * UInt32(byte))) }
        bytes.withUnsafeBytes { _ = try? FailureReport(decoding: $0) }
      }
    }
  }
}

struct TravellingError: Error, Codable { var text: String }
private struct PrivateError: Error, Codable { var number: Int }

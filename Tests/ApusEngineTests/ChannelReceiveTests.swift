@testable import ApusWire
@testable import ApusEngine
import CApus
import Glibc
import Synchronization
import Testing

/// What the parent makes of what a worker wrote, sound or not.
@Suite struct ChannelReceiveTests {
  private typealias Kind = ResultHeader.Kind

  @Test func valuesArrive() throws {
    let fake = try FakeWorker()
    let job = makeJob()
    #expect(try fake.give(job, 3) == 3)
    for number in 0..<3 {
      fake.answer(
        ResultHeader(kind: Kind.value, count: 1, sequence: UInt64(number), length: 2), [UInt8(number), 9])
    }
    #expect(try fake.worker.receive(now: apus_now()) == 3)
    #expect(job.inbox.deliveries.map(\.index) == [0, 1, 2])
    #expect(Array(job.inbox.bytes.bytes) == [0, 9, 1, 9, 2, 9])
    #expect(fake.worker.inFlight == 0 && job.inFlight == 0)
  }

  /// Each of these is corruption: an error, and nothing delivered.
  @Test func headersThatCantBeAreCorruption() throws {
    let headers = [
      ResultHeader(kind: Kind.value, count: 1, sequence: 1, length: 2),  // out of order
      ResultHeader(kind: Kind.value, count: 1, sequence: .max, length: 2),
      ResultHeader(kind: Kind.value, count: 1, sequence: 0, length: .max),  // impossible lengths
      ResultHeader(kind: Kind.value, count: 1, sequence: 0, length: 1 << 63),
      ResultHeader(kind: Kind.value, count: 1, sequence: 0, length: 1000),  // not published
      ResultHeader(kind: Kind.failure, count: 1, sequence: 0, length: 1 << 40),
      ResultHeader(kind: Kind.failure, count: 1, sequence: 0, length: 1000),
      ResultHeader(kind: Kind.run, count: 1, sequence: 0, length: 8),  // not plain memory
      ResultHeader(kind: 0, count: 1, sequence: 0, length: 0),
      ResultHeader(kind: .max, count: .max, sequence: 0, length: 0),
    ]
    for header in headers {
      let fake = try FakeWorker()
      let job = makeJob()
      try fake.give(job, 3)
      fake.answer(header)
      #expect(throws: ChannelCorruption.self, "\(header)") { try fake.worker.receive(now: apus_now()) }
      #expect(job.inbox.deliveries.isEmpty)
    }
  }

  @Test func runsThatDoNotFitAreCorruption() throws {
    let headers = [
      ResultHeader(kind: Kind.run, count: 4, sequence: 0, length: 32),  // more than there are
      ResultHeader(kind: Kind.run, count: .max, sequence: 0, length: 8 * UInt64(UInt32.max)),
      ResultHeader(kind: Kind.run, count: 0, sequence: 0, length: 0),  // nothing
      ResultHeader(kind: Kind.run, count: 2, sequence: 0, length: 24),  // length and count do not agree
      ResultHeader(kind: Kind.run, count: 2, sequence: 0, length: 16),  // not published
    ]
    for header in headers {
      let fake = try FakeWorker()
      let job = makeJob(strides: (8, 8))
      try fake.give(job, 3)
      fake.place(header)
      fake.results.publish(32)
      #expect(throws: ChannelCorruption.self, "\(header)") { try fake.worker.receive(now: apus_now()) }
      #expect(job.inbox.deliveries.isEmpty)
    }
  }

  @Test func resultsForNoTaskAreCorruption() throws {
    let fake = try FakeWorker()
    fake.answer(
      ResultHeader(kind: Kind.value, count: 1, sequence: 0, length: 8), Array(repeating: 1, count: 8))
    #expect(throws: ChannelCorruption.self) { try fake.worker.receive(now: apus_now()) }
  }

  /// A large value is believed as far as it has arrived: nothing of the announced size is filled or handed out.
  @Test func aLargeValueIsBelievedAsFarAsItHasArrived() throws {
    let fake = try FakeWorker()
    let job = makeJob()
    try fake.give(job, 1)
    fake.answer(ResultHeader(kind: Kind.value, count: 1, sequence: 0, length: 1 << 60))
    for _ in 0..<100 {
      #expect(try fake.worker.receive(now: apus_now()) == 0)
      fake.results.publish(ChannelLimit.piece)
    }
    #expect(try fake.worker.receive(now: apus_now()) == 0)
    #expect(fake.worker.incoming?.bytes.count == 100 * ChannelLimit.piece)
    #expect(job.inbox.deliveries.isEmpty)
  }

  /// An open run: values are taken as `progress` counts them, and again none when it is published.
  @Test func valuesOfAnOpenRunAreTakenOnce() throws {
    var numbers = [UInt64](repeating: 0, count: 5)
    try numbers.withUnsafeMutableBytes { memory in
      let fake = try FakeWorker()
      let job = makeJob(strides: (8, 8), destination: memory.baseAddress)
      try fake.give(job, 5)
      let values = (1...5).flatMap { value in withUnsafeBytes(of: UInt64(value)) { Array($0) } }
      fake.place(ResultHeader(kind: Kind.openRun, count: 0, sequence: 0, length: 0), values)
      for (progress, taken) in [(2, 1), (3, 0), (6, 2), (6, 0)] {
        fake.theirs.progress.pointee.store(UInt64(progress), ordering: .releasing)
        #expect(try fake.worker.receive(now: apus_now()) == taken)
      }
      fake.theirs.progress.pointee.store(10, ordering: .releasing)
      fake.answer(ResultHeader(kind: Kind.run, count: 5, sequence: 0, length: 40), values)
      #expect(try fake.worker.receive(now: apus_now()) == 2)
      #expect(job.inbox.deliveries.map(\.count) == [5])
    }
    #expect(numbers == [1, 2, 3, 4, 5])
  }

  /// A run that claims to go on into the tasks of another job, whose values are smaller: they must not be
  /// written with the size of the first job's values, past the memory of the second.
  @Test func aRunCantGoOnIntoAnotherJob() throws {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 16)
    defer { memory.deallocate() }
    memset(memory, 0x55, 4096)
    let fake = try FakeWorker()
    let wide = makeJob(strides: (8, 8))
    let narrow = makeJob(strides: (8, 1), destination: memory)
    try fake.give(wide, 3)
    try fake.give(narrow, 5)
    let ones = [UInt8](repeating: 1, count: 8 * 8)
    fake.place(ResultHeader(kind: Kind.openRun, count: 0, sequence: 0, length: 0), ones)
    fake.theirs.progress.pointee.store(6, ordering: .releasing)
    #expect(try fake.worker.receive(now: apus_now()) == 3)
    fake.answer(ResultHeader(kind: Kind.run, count: 8, sequence: 0, length: 64), ones)
    #expect(throws: ChannelCorruption.self) { try fake.worker.receive(now: apus_now()) }
    #expect((5..<4096).allSatisfy { memory.load(fromByteOffset: $0, as: UInt8.self) == 0x55 })
  }

  @Test func progressThatCantBeIsHeldAgainstWhatWasSent() throws {
    for progress in [100, 1 << 32, .max, .max - 1] as [UInt64] {
      let fake = try FakeWorker()
      let job = makeJob(strides: (8, 8))
      try fake.give(job, 3)
      fake.place(ResultHeader(kind: Kind.openRun, count: 0, sequence: 0, length: 0))
      fake.theirs.progress.pointee.store(progress, ordering: .releasing)
      _ = try? fake.worker.receive(now: apus_now())
      #expect(job.inbox.deliveries.reduce(0) { $0 + $1.count } <= 3)
      #expect(fake.worker.inFlight >= 0 && job.inFlight >= 0)
      #expect(fake.worker.revoke() >= 0)
      #expect(fake.worker.limitEnds(5, now: apus_now()) <= apus_now() + 2_000_000_000)
    }
  }
}

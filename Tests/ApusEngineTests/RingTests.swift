import ApusEngine
import ApusSystem
import Synchronization
import TestSupport
import Testing

/// A ring in memory of this process, mapped twice in a row as a worker's is.
final class TestRing: @unchecked Sendable {
  // Sound: what the channel points to is atomics, and bytes that belong to one side at a time.
  let channel: Channel

  init() throws {
    let memory = try makeChannelMemory()
    channel = try withExtendedLifetime(memory) { try Channel(mapping: memory.number) }
  }

  var writer: RingWriter { channel.taskWriter }
  var reader: RingReader { channel.taskReader }
}

/// Numbers that are the same in each run.
struct Dice: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// The ring between two threads, for the thread sanitizer as well: `swift test --sanitize=thread --filter RingTests`.
@Suite(.blocks) struct RingTests {
  /// What the byte at a position of the stream is.
  private static func byte(_ position: UInt64) -> UInt8 {
    UInt8(truncatingIfNeeded: position &* 7 &+ position >> 11)
  }

  @Test(arguments: [32, 4096, Channel.ringSize]) func bytesArriveAsTheyWereSent(largest: Int) async throws {
    let ring = try TestRing()
    let total: UInt64 = 8 << 20
    async let sent: Void = Self.send(ring, total: total, largest: largest)
    async let wrong = Self.receive(ring, total: total)
    try await sent
    #expect(try await wrong == 0)
  }

  @concurrent private static func send(_ ring: TestRing, total: UInt64, largest: Int) async throws {
    var writer = ring.writer
    var dice = Dice(1)
    while writer.position < total {
      let wanted = min(Int.random(in: 1...largest, using: &dice), Int(total - writer.position))
      var space = try writer.space(atLeast: wanted)
      while space < wanted {
        await Task.yield()
        space = try writer.space(atLeast: wanted)
      }
      let place = writer.place()
      for offset in 0..<wanted {
        place.storeBytes(of: byte(writer.position + UInt64(offset)), toByteOffset: offset, as: UInt8.self)
      }
      writer.publish(wanted)
    }
  }

  /// How many bytes are not what they should be.
  @concurrent private static func receive(_ ring: TestRing, total: UInt64) async throws -> Int {
    var reader = ring.reader
    var wrong = 0
    while reader.position < total {
      let available = try reader.available()
      if available == 0 {
        await Task.yield()
        continue
      }
      let place = reader.place()
      for offset in 0..<available
      where place.load(fromByteOffset: offset, as: UInt8.self) != byte(reader.position + UInt64(offset)) {
        wrong += 1
      }
      reader.consume(available)
    }
    return wrong
  }

  /// Against a queue of bytes as the plainest model, with sizes that wrap round in every place.
  @Test(arguments: 1...8) func aRingIsAQueue(seed: UInt64) throws {
    let ring = try TestRing()
    var (writer, reader) = (ring.writer, ring.reader)
    var dice = Dice(seed)
    var model: [UInt8] = []
    for _ in 0..<2000 {
      if Bool.random(using: &dice) {
        let count = Int.random(in: 0...(Channel.ringSize - model.count), using: &dice)
        #expect(try writer.space(atLeast: count) >= count)
        let bytes = (0..<min(count, 3000)).map { _ in UInt8.random(in: 0...255, using: &dice) }
        bytes.withUnsafeBytes {
          if let base = $0.baseAddress { writer.place().copyMemory(from: base, byteCount: $0.count) }
        }
        writer.publish(bytes.count)
        model += bytes
      } else {
        let available = try reader.available(atLeast: model.count)
        #expect(available == model.count)
        let count = Int.random(in: 0...available, using: &dice)
        let bytes = Array(UnsafeRawBufferPointer(start: reader.place(), count: count))
        #expect(bytes == Array(model.prefix(count)))
        reader.consume(count)
        model.removeFirst(count)
      }
    }
  }

  @Test func aFullRingIsFullAndAnEmptyOneEmpty() throws {
    let ring = try TestRing()
    var (writer, reader) = (ring.writer, ring.reader)
    #expect(try reader.available() == 0)
    for _ in 0..<3 {
      #expect(try writer.space(atLeast: Channel.ringSize) == Channel.ringSize)
      writer.publish(Channel.ringSize)
      #expect(try writer.space(atLeast: 1) == 0)
      #expect(try reader.available(atLeast: Channel.ringSize) == Channel.ringSize)
      reader.consume(100)
      #expect(try writer.space(atLeast: 101) == 100)
      writer.publish(100)
      reader.consume(Channel.ringSize)
      #expect(try reader.available() == 0)
    }
  }

  /// Positions that no sound peer writes: an error, at each of many distances.
  @Test(arguments: [1, 1 << 20, 1 << 32, 1 << 63, .max - 4096] as [UInt64])
  func positionsOutOfBoundsAreCorruption(distance: UInt64) throws {
    let tail = SharedWord.allocate(capacity: 2)
    let head = tail + 1
    defer { tail.deallocate() }
    let size = 4096
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 2 * size, alignment: 64)
    defer { memory.deallocate() }

    tail.initialize(to: Atomic(UInt64(size) &+ distance))
    head.initialize(to: Atomic(0))
    var reader = RingReader(base: memory, capacity: size, tail: tail, head: head)
    #expect(throws: ChannelCorruption.self) { try reader.available() }

    tail.pointee.store(0, ordering: .relaxed)
    // More was consumed than was ever written.
    head.pointee.store(distance, ordering: .relaxed)
    var writer = RingWriter(base: memory, capacity: size, tail: tail, head: head)
    #expect(throws: ChannelCorruption.self) { try writer.space(atLeast: size + 1) }

    // A position that goes back.
    tail.pointee.store(1000, ordering: .relaxed)
    var other = RingReader(base: memory, capacity: size, tail: tail, head: head)
    #expect(try other.available() == 1000)
    other.consume(500)
    tail.pointee.store(499, ordering: .relaxed)
    #expect(throws: ChannelCorruption.self) { try other.available(atLeast: 600) }
  }
}

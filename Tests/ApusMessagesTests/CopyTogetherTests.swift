import ApusSystem
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import ApusMessages

/// The parts of a message that two ranks copy together, and who takes which; the copying itself is in "copied together".
@Suite(.blocks) struct CopyTogetherTests {
  /// Every byte is in one part.
  @Test(arguments: [
    1, 4095, 1 << 20, 1 << 20 + 1, 3 << 20 + 5, 16 << 20 - 1, 16 << 20, 1 << 30 + 4097, 1 << 46 + 1,
  ])
  func partsTile(total: Int) {
    let parts = CopyParts(of: total)
    #expect(parts.count >= 1 && parts.count < 0xffff)
    var end = 0
    for part in 0..<parts.count {
      let range = parts.range(part)
      #expect(range.lowerBound == end && !range.isEmpty)
      end = range.upperBound
    }
    #expect(end == total)
  }

  /// Two threads take each part once, and none of another message.
  @Test func eachPartIsTakenOnce() throws {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: 64)
    defer { memory.deallocate() }
    nonisolated(unsafe) let words = CopyWords(base: memory)
    for number: UInt64 in 1...200 {
      let count = 1000
      words.open(number, memory)
      #expect(words.number == number)
      let helper = Locked<(taken: [Int], isDone: Bool)>(([], false))
      try NativeThread.start(name: "helper") {
        var taken: [Int] = []
        while let part = words.take(number), part < count { taken.append(part) }
        helper.withLock { $0 = (taken, true) }
      }
      var mine: [Int] = []
      while let part = words.take(number), part < count { mine.append(part) }
      while !helper.withLock({ $0.isDone }) {}
      #expect((mine + helper.withLock { $0.taken }).sorted() == Array(0..<count))
      #expect(words.take(number + 1) == nil)
      #expect(words.close() >= count)
      #expect(words.take(number) == nil && words.number == 0)
    }
  }

  /// A number that the words can't hold: whatever is taken does not add up, and that is an error, not a message with
  /// holes in it.
  @Test(.enabled(if: Processors.ofProgram > 1)) func whatDoesNotAddUp() throws {
    let descriptor = try LocalMemory.make(ranks: 2)
    let memory = try LocalMemory(descriptor.number, ranks: 2)
    let ranks = (0..<2).map { LocalTransport(memory, rank: $0, sharesThreads: false) { exit($0) } }
    ranks[1].nextNumber = 1 << 50
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 20, alignment: 16)
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 20, alignment: 16)
    defer {
      bytes.deallocate()
      room.deallocate()
    }
    bytes.initializeMemory(as: UInt8.self, repeating: 1)
    nonisolated(unsafe) let source = UnsafeRawBufferPointer(bytes)
    // The sender may have fallen asleep before its message is taken; then nobody copies together with it.
    var error: (any Error)?
    for _ in 0..<100 where error == nil {
      let hasEnded = Locked(false)
      try NativeThread.start(name: "sender") {
        let envelope = Envelope(context: 1, source: 1, tag: 0, type: 1, count: source.count)
        try? ranks[1].send(source, envelope, to: 0)
        hasEnded.withLock { $0 = true }
      }
      let message = try ranks[0].message(Selector(context: 1, source: 1, tag: 0))
      do {
        try ranks[0].take(message, into: room.baseAddress!)
      } catch let thrown {
        error = thrown
        memory.markFailed(rank: 0)
      }
      while !hasEnded.withLock({ $0 }) { sched_yield() }
    }
    #expect((error as? MessageError)?.code == .transport)
  }

  /// However often it is taken from, the count does not run into the number.
  @Test func theCountIsBounded() {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: 64)
    defer { memory.deallocate() }
    let words = CopyWords(base: memory)
    words.open(7, memory)
    var count = 0
    while words.take(7) != nil { count += 1 }
    #expect(count == 0xffff && words.number == 7)
    #expect(words.close() == 0xffff)
  }
}

import ApusCore
import Synchronization
import Testing

@testable import ApusMessages

/// The parts of a message that two ranks copy together, and who takes which; the copying itself is in "copied together".
@Suite struct CopyTogetherTests {
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

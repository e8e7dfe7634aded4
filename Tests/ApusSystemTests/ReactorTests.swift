import ApusSystem
import CApus
import Glibc
import TestSupport
import Testing

@Suite(.blocks) struct ReactorTests {
  private func write(_ text: String, to descriptor: OwnedDescriptor) {
    _ = text.withCString { Glibc.write(descriptor.number, $0, strlen($0)) }
  }

  @Test func whatIsReadableIsTold() throws {
    let reactor = try Reactor()
    let (reading, writing) = try OwnedDescriptor.pipe()
    defer { withExtendedLifetime((reading, writing)) {} }
    var told = 0
    let watch = try reactor.whenReadable(reading.number) { told += 1 }
    write("a", to: writing)
    reactor.turn()
    reactor.turn()
    // Until it is read.
    #expect(told == 2)
    reactor.pause(watch)
    _ = reactor.after(1_000_000) {}
    reactor.turn()
    #expect(told == 2)
    reactor.resume(watch)
    reactor.turn()
    #expect(told == 3)
    reactor.stop(watch)
    reactor.stop(watch)
    _ = reactor.after(1_000_000) {}
    reactor.turn()
    #expect(told == 3)
  }

  @Test func roomToWriteIsTold() throws {
    let reactor = try Reactor()
    let (reading, writing) = try OwnedDescriptor.pipe()
    defer { withExtendedLifetime((reading, writing)) {} }
    try writing.setNonBlocking()
    var told = 0
    _ = try reactor.whenWritable(writing.number) { told += 1 }
    reactor.turn()
    #expect(told == 1)
    let chunk = [UInt8](repeating: 0, count: 65536)
    while Glibc.write(writing.number, chunk, chunk.count) > 0 {}
    _ = reactor.after(1_000_000) {}
    reactor.turn()
    #expect(told == 1)
  }

  /// One that is called may stop another that is ready as well, and begin one in its place.
  @Test func aWatchThatIsStoppedByAnotherIsNotCalled() throws {
    let reactor = try Reactor()
    let pipes = try (0..<2).map { _ in try OwnedDescriptor.pipe() }
    defer { withExtendedLifetime(pipes) {} }
    for pipe in pipes { write("a", to: pipe.writing) }
    var watches: [Reactor.Watch] = []
    var (told, later) = (0, 0)
    for pipe in pipes {
      watches.append(
        try reactor.whenReadable(pipe.reading.number) {
          told += 1
          for watch in watches { reactor.stop(watch) }
          _ = try? reactor.whenReadable(pipe.reading.number) { later += 1 }
        })
    }
    reactor.turn()
    #expect((told, later) == (1, 0))
    reactor.turn()
    #expect((told, later) == (1, 1))
  }

  @Test func timesComeInOrder() throws {
    let reactor = try Reactor()
    var told: [Int] = []
    let now = apus_now()
    for number in [5, 1, 4, 2, 3] { _ = reactor.at(now + UInt64(number) * 1_000_000) { told.append(number) } }
    let cancelled = reactor.after(1_500_000) { told.append(0) }
    cancelled.cancel()
    while told.count < 5 { reactor.turn() }
    #expect(told == [1, 2, 3, 4, 5])
  }

  @Test func manyTimersOfWhichMostAreCancelled() throws {
    let reactor = try Reactor()
    var told: [UInt64] = []
    let now = apus_now()
    for number in 0..<10_000 as Range<UInt64> {
      let timer = reactor.at(now + number * 7919 % 10_000 * 100) { told.append(number * 7919 % 10_000) }
      if number % 100 != 0 { timer.cancel() }
    }
    while told.count < 100 { reactor.turn() }
    #expect(told == told.sorted())
  }

  @Test func anotherThreadWakesIt() throws {
    let reactor = try Reactor()
    let bell = reactor.bell
    try NativeThread.start(name: "waker") { bell.ring() }
    reactor.turn()
  }
}

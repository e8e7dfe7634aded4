import ApusSystem
import Glibc
import Testing

@testable import ApusMessages

/// Who tells whoever waits for an operation that it is over: no thread that may hold a lock.
@Suite struct TellingTests {
  private let ranks: [LocalTransport]
  private let told = Locked(0)
  private let keeper: OwnedDescriptor

  init() throws {
    keeper = try LocalMemory.make(ranks: 2)
    let memory = try LocalMemory(keeper.number, ranks: 2)
    ranks = (0..<2).map { LocalTransport(memory, rank: $0, sharesThreads: $0 == 0) { exit($0) } }
  }

  private func receive(tag: Int32) throws -> Operation {
    let operation = Operation(.receive(Selector(context: 0, source: 1, tag: tag)))
    operation.whenDone = { [told] in told.withLock { $0 += 1 } }
    try ranks[0].start(operation)
    return operation
  }

  /// It looks for its own message and comes upon one that another waits for.
  @Test func aStartTellsNobody() throws {
    let awaited = try receive(tag: 1)
    let bytes: [UInt8] = [1, 2, 3]
    try bytes.withUnsafeBytes {
      try ranks[1].send($0, Envelope(context: 0, source: 1, tag: 1, type: 1, count: 3), to: 0)
    }
    _ = try receive(tag: 2)
    #expect(awaited.isDone && told.withLock { $0 } == 0)
    try ranks[0].progress()
    #expect(told.withLock { $0 } == 1)
  }

  /// A cancellation comes with the lock of its task held.
  @Test func givingUpTellsNobody() throws {
    let awaited = try receive(tag: 1)
    #expect(ranks[0].cancel(awaited))
    #expect(awaited.isDone && told.withLock { $0 } == 0)
    try ranks[0].progress()
    #expect(told.withLock { $0 } == 1)
  }
}

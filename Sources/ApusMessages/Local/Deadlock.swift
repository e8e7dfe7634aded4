import ApusCore
import Synchronization

/// What a rank keeps to find out that all ranks wait for one another.
///
/// A rank says in the shared memory that it is blocked, under a new number each time, once each of its threads has slept
/// for a whole period in a call that has no time limit; it takes the word back before it does anything at all. Who
/// finds all ranks blocked, and nothing unread between any two of them, and the same again a period later, has found a
/// deadlock: nobody can have done anything in between, and nobody will.
struct DeadlockWatch {
  /// How many threads sleep since the rank was woken the last time.
  private(set) var asleep = 0
  private var since: UInt32 = 0
  /// What the rank says: odd while it is blocked.
  fileprivate var number: UInt64 = 0
  fileprivate var lastReading: [UInt64]?
  /// What all threads are told that sleep since then.
  fileprivate var found: (since: UInt32, error: MessageError)?

  mutating func fallsAsleep(_ wakes: UInt32) {
    if since != wakes { (since, asleep) = (wakes, 0) }
    asleep += 1
  }

  mutating func awakes(_ wakes: UInt32) { if since == wakes { asleep -= 1 } }
}

extension LocalTransport {
  /// A thread has slept for a whole period, and nothing has happened.
  func lookForDeadlock(_ awaited: Awaited, _ wakes: UInt32) {
    guard movers == 0, !gate.isShared || deadlock.asleep + 1 == OwnThreads.count else { return }
    if deadlock.number & 1 == 0 {
      let (what, tag) = awaited.words(threads: deadlock.asleep + 1)
      own.awaited.pointee.store(what, ordering: .relaxed)
      own.awaitedTag.pointee.store(tag, ordering: .relaxed)
      deadlock.number += 1
      own.blocked.pointee.store(deadlock.number, ordering: .releasing)
    }
    let reading = readAll()
    if let reading, reading == deadlock.lastReading {
      // All of them before the first is woken, who describes it.
      for (peer, number) in reading.enumerated() {
        memory.rank(peer).deadlocked.pointee.store(number, ordering: .releasing)
      }
      for (peer, number) in reading.enumerated() where number != Self.gone { memory.rank(peer).wakeThreads() }
    }
    deadlock.lastReading = reading
  }

  /// A thread goes on that was about to sleep: throws if that is since all ranks wait for one another.
  func endsToBeBlocked(_ wakes: UInt32, _ isThere: (LocalTransport) -> Bool) throws {
    if deadlock.number & 1 != 0 {
      if own.deadlocked.pointee.load(ordering: .acquiring) == deadlock.number {
        deadlock.found = (wakes, MessageError(.deadlock, describeAll()))
      }
      deadlock.number += 1
      deadlock.lastReading = nil
      // Release: whoever sees what this rank does next sees this too.
      own.blocked.pointee.store(deadlock.number, ordering: .releasing)
    }
    if let found = deadlock.found, found.since == wakes, !isThere(self) { throw found.error }
  }

  private static var gone: UInt64 { .max }

  /// The number under which each rank is blocked, or nil if one is not or something is on its way.
  private func readAll() -> [UInt64]? {
    guard let numbers = readNumbers() else { return nil }
    for source in 0..<size {
      for destination in 0..<size where source != destination && numbers[destination] != Self.gone {
        if memory.pair(from: source, to: destination).hasUnread { return nil }
      }
    }
    // Else a rank may have taken something after it was asked, and before it was looked whether something was there.
    return readNumbers() == numbers ? numbers : nil
  }

  private func readNumbers() -> [UInt64]? {
    var numbers: [UInt64] = []
    for peer in 0..<size {
      let words = memory.rank(peer)
      if words.hasEnded.pointee.load(ordering: .acquiring) != 0 {
        numbers.append(Self.gone)
      } else {
        // Acquire: what it sent before it said so is there to be seen.
        let number = words.blocked.pointee.load(ordering: .acquiring)
        if number & 1 == 0 { return nil }
        numbers.append(number)
      }
    }
    return numbers
  }

  // MARK: In words

  private func describeAll() -> String {
    let lines = (0..<size).map { peer in
      let words = memory.rank(peer)
      // Not `hasEnded`: others may have been told before, and have ended meanwhile.
      if words.deadlocked.pointee.load(ordering: .acquiring) == Self.gone { return "rank \(peer) has ended" }
      return "rank \(peer) "
        + Awaited.describe(
          words.awaited.pointee.load(ordering: .relaxed), words.awaitedTag.pointee.load(ordering: .relaxed))
    }
    return "deadlock: every rank waits for another one, and no message is on its way\n  "
      + lines.joined(separator: "\n  ")
  }
}

extension Awaited {
  /// For the other ranks to read.
  fileprivate func words(threads: Int) -> (UInt64, UInt64) {
    let (kind, peer, tag, context): (UInt64, Int32, Int32, UInt32) =
      switch self {
      case .message(let selector): (1, selector.source, selector.tag, selector.context)
      case .receiver(let rank, let envelope): (2, Int32(rank), envelope.tag, envelope.context)
      case .pieces(let envelope): (3, envelope.source, envelope.tag, envelope.context)
      case .end, .anything: (4, 0, 0, 0)
      }
    return (
      UInt64(min(threads, 255)) << 40 | kind << 32 | UInt64(UInt32(bitPattern: peer)),
      UInt64(context) << 32 | UInt64(UInt32(bitPattern: tag))
    )
  }

  fileprivate static func describe(_ what: UInt64, _ tagAndContext: UInt64) -> String {
    let peer = Int32(truncatingIfNeeded: what)
    let tag = Int32(truncatingIfNeeded: tagAndContext)
    let context = UInt32(truncatingIfNeeded: tagAndContext >> 32)
    let other = peer == Selector.any ? "any rank" : "rank \(peer)"
    let isCollective = Contexts.isCollective(context)
    let call = CollectiveCall(rawValue: tag)
    let operation = call == .agreement ? "a collective operation" : call.map { "\($0)" } ?? "one"
    let place = Contexts.communicator(of: context) == 0 ? "" : ", in a communicator that `split` made"
    let text =
      switch what >> 32 & 0xff {
      case 1 where isCollective: "is in \(operation) and waits for \(other)\(place)"
      case 1: "receives from \(other), \(tag == Selector.any ? "any tag" : "tag \(tag)")\(place)"
      case 2 where isCollective: "is in \(operation) and waits until \(other) receives\(place)"
      case 2: "sends to \(other), tag \(tag), and waits until it receives\(place)"
      case 3: "receives a message from \(other)"
      default: "is at its end and waits until what it sent is received"
      }
    let threads = what >> 40 & 0xff
    return threads > 1 ? "\(text) (and \(threads - 1) more of its threads wait)" : text
  }
}

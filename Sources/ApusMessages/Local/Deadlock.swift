import ApusWire
import CApus
import Glibc
import Synchronization

/// What a rank keeps to find out that all ranks wait for one another.
///
/// A rank says in the shared memory that it is blocked, under a new number each time, once each of its threads has slept
/// for a whole period in a call that has no time limit; it takes the word back before it does anything at all. Who
/// finds all ranks blocked, and nothing unread between any two of them, and the same again a period later, has found a
/// deadlock: nobody can have done anything in between, and nobody will.
///
/// Where tasks await messages, what could still wake the rank is not ours to know: a timer, a descriptor, a thread. So
/// it says that it is blocked only if it has called nothing for long (`patience`), and its threads were at rest all the
/// time (`RestingThreads`).
struct DeadlockWatch {
  /// How many threads sleep since the rank was woken the last time.
  private(set) var asleep = 0
  private var since: UInt32 = 0
  /// What the rank says: odd while it is blocked.
  fileprivate var number: UInt64 = 0
  fileprivate var lastReading: [UInt64]?
  /// How often the rank had been woken when it said so.
  fileprivate var said: UInt32 = 0
  /// How often the progress thread has entered the gate; and how often others had at the last look.
  var ownEntries: UInt64 = 0
  fileprivate var entries: UInt64 = 0
  /// Since when no other thread has entered, and all threads were at rest at every look; and when the next
  /// look is.
  fileprivate var quietSince: UInt64 = 0
  fileprivate var nextLook: UInt64 = 0
  /// At how many looks in a row some thread was not at rest.
  fileprivate var restless = 0
  /// The deadlock that was found, for all threads that sleep since then.
  fileprivate var found: (since: UInt32, error: MessageError)?

  mutating func fallsAsleep(_ wakes: UInt32) {
    if since != wakes { (since, asleep) = (wakes, 0) }
    asleep += 1
  }

  /// How long a rank must be at rest, in nanoseconds. The only thing that may wake it and can't be seen is a
  /// timer on Dispatch's own clock (`RestingThreads`). One that is due within this time shows all the same,
  /// by the thread that it wakes.
  fileprivate static let patience: UInt64 = {
    #if DEBUG
      if let milliseconds = getenv("APUS_PATIENCE") { return UInt64(atoi(milliseconds)) * 1_000_000 }
    #endif
    return 30_000_000_000
  }()

  mutating func awakes(_ wakes: UInt32) { if since == wakes { asleep -= 1 } }
}

extension LocalTransport {
  /// A thread has slept for a whole period, and nothing has happened.
  func lookForDeadlock(_ awaited: Awaited, _ wakes: UInt32) {
    var (awaited, calls) = (awaited, deadlock.asleep + 1)
    if case .anything = awaited {
      guard let first = firstAwaited else { return takeBack() }
      (awaited, calls) = (first.operation, deadlock.asleep + first.count)
      guard isAtRest(deadlock.asleep) else { return takeBack() }
    } else {
      // If there is a progress thread, that one looks.
      guard movers == 0 else { return }
      guard !gate.isShared || calls == OwnThreads.count || isAtRest(calls) else { return takeBack() }
    }
    if !isSaidBlocked {
      let (what, tag) = awaited.words(calls: calls)
      own.awaited.pointee.store(what, ordering: .relaxed)
      own.awaitedTag.pointee.store(tag, ordering: .relaxed)
      deadlock.number += 1
      deadlock.said = wakes
      if gate.isShared { gate.whenEntered = { [unowned self] in takeBack() } }
      own.blocked.pointee.store(deadlock.number, ordering: .releasing)
    }
    let reading = readAll()
    if let reading, reading == deadlock.lastReading {
      // All ranks' words before the first rank is woken, since it describes all of them.
      for (peer, number) in reading.enumerated() {
        memory.rank(peer).deadlocked.pointee.store(number, ordering: .releasing)
      }
      for (peer, number) in reading.enumerated() where number != Self.gone { memory.rank(peer).wakeThreads() }
    }
    deadlock.lastReading = reading
  }

  /// A thread is about to go on. Throws if it was woken because all ranks wait for one another.
  func endsToBeBlocked(_ wakes: UInt32, _ isThere: (LocalTransport) -> Bool) throws {
    takeBack()
    if let found = deadlock.found, found.since == wakes, !isThere(self) { throw found.error }
  }

  var isSaidBlocked: Bool { deadlock.number & 1 != 0 }

  /// Takes the word back, before the rank does anything.
  private func takeBack() {
    guard isSaidBlocked else { return }
    gate.whenEntered = nil
    if own.deadlocked.pointee.load(ordering: .acquiring) == deadlock.number {
      deadlock.found = (deadlock.said, MessageError(.deadlock, describeAll()))
    }
    deadlock.number += 1
    deadlock.lastReading = nil
    // Release: whoever sees what this rank does next sees this too.
    own.blocked.pointee.store(deadlock.number, ordering: .releasing)
  }

  /// Whether nobody has called for a long time, and nothing but a message can wake a thread.
  ///
  /// - Parameter asleep: In how many calls of ours threads sleep. All other threads must be at rest.
  private func isAtRest(_ asleep: Int) -> Bool {
    let now = apus_now()
    let entries = gate.entries &- deadlock.ownEntries
    if entries != deadlock.entries || deadlock.quietSince == 0 {
      // Not at once: a rank that calls now and then would be looked at again and again, with the transport's lock held.
      (deadlock.entries, deadlock.quietSince, deadlock.nextLook) = (entries, now, now &+ 1_000_000_000)
    }
    guard now >= deadlock.nextLook else { return false }
    let isAtRest = RestingThreads.areAllBut(asleep)
    deadlock.restless = isAtRest ? 0 : deadlock.restless + 1
    // Not at the first time: it may be Dispatch's manager, which looks at its workers each second. A thread
    // that it wakes stays for seconds.
    if deadlock.restless > 1 { deadlock.quietSince = now }
    let isLong = now &- deadlock.quietSince >= DeadlockWatch.patience
    // A look takes a while, so there is one a second.
    if !isLong, deadlock.restless != 1 { deadlock.nextLook = now &+ 1_000_000_000 }
    return isAtRest && isLong
  }

  /// The operations that tasks await. Not sends that have no slot yet: a receiver that waits empties its
  /// ring, so they will get one.
  private var awaitedOperations: [Operation] {
    let sends = announced.values.map(\.operation) + streaming.map(\.operation)
    return (mailbox.posted + sends).filter { $0.whenDone != nil && !$0.isDone }
  }

  /// What is awaited, if anything is: the first of the operations, and how many there are.
  private var firstAwaited: (operation: Awaited, count: Int)? {
    let operations = awaitedOperations
    guard let first = operations.first else { return nil }
    switch first.kind {
    case .receive(let selector): return (.message(selector), operations.count)
    case .send(_, let envelope, let receiver): return (.receiver(receiver, envelope), operations.count)
    }
  }

  /// Ends the operations that tasks await. A posted receive that nobody awaits goes on. So does such a send,
  /// if it has no slot yet or no send is awaited: see `withdraw`.
  func endAwaited(_ error: any Error) {
    for operation in awaitedOperations {
      if case .receive = operation.kind {
        _ = mailbox.cancel(operation, error)
      } else {
        withdraw(operation, error)
      }
    }
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
    // Read again: a rank may have gone on and taken a message, between our look at its number and our look at
    // its slots.
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
      // Not by `hasEnded`: others may have been told before us, and have ended since.
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
  fileprivate func words(calls: Int) -> (UInt64, UInt64) {
    let (kind, peer, tag, context): (UInt64, Int32, Int32, UInt32) =
      switch self {
      case .message(let selector): (1, selector.source, selector.tag, selector.context)
      case .receiver(let rank, let envelope): (2, Int32(rank), envelope.tag, envelope.context)
      case .fragments(let envelope): (3, envelope.source, envelope.tag, envelope.context)
      case .end, .anything: (4, 0, 0, 0)
      }
    return (
      UInt64(min(calls, 255)) << 40 | kind << 32 | UInt64(UInt32(bitPattern: peer)),
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
    let calls = what >> 40 & 0xff
    return calls > 1 ? "\(text) (and \(calls - 1) more of its calls wait)" : text
  }
}

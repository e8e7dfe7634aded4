import CApus
import Glibc
import Synchronization

/// What a rank waits for.
enum Awaited {
  /// A message.
  case message(Selector)
  /// A rank that has to receive a message, or to make room for one.
  case receiver(Int, Envelope)
  /// The rest of a message.
  case pieces(Envelope)
  /// That all it has sent is received, at its end.
  case end
  /// Whatever happens, for a bounded time.
  case anything

  var selector: Selector? { if case .message(let selector) = self { selector } else { nil } }

  /// What a receiver takes at most to copy a long message, in nanoseconds: to sleep then would cost more.
  fileprivate var copyTime: UInt64 {
    if case .receiver(_, let envelope) = self { UInt64(min(max(0, envelope.count), 16 << 20) / 4) } else { 0 }
  }

  /// Of the communicator that waits; the world's if it is none.
  var context: UInt32 {
    switch self {
    case .message(let selector): selector.context
    case .receiver(_, let envelope), .pieces(let envelope): envelope.context
    case .end, .anything: 0
    }
  }
}

/// How a rank waits: it looks a few times, lets others run between looks for a bounded time, and then sleeps until
/// another rank wakes it. Meanwhile it takes in what comes for later, so that nobody waits for a rank that waits.
struct Waiting {
  private let transport: LocalTransport
  private let awaited: Awaited
  /// Until it has slept.
  private(set) var isAwake = true
  private var spins = 0
  private var yields = 0
  private var deadline: UInt64 = 0

  /// Looks before the first `sched_yield`: about 10 µs with a processor each, and next to none without.
  private let spinLimit: Int
  /// Nanoseconds. Longer where ranks share processors: to yield then helps whoever is waited for, and to sleep and wake
  /// costs all of them an interrupt.
  private var yieldTime: UInt64 { transport.isCrowded ? 300_000 : 50_000 }
  /// Yields after which what has come for later is taken in. Until then it lies well where it is: to copy it away, and
  /// find it there again, takes longer than such a wait.
  private static let patience = 16
  /// Nobody need hurry to look whether something went wrong that nobody tells of.
  private static let sleepTime: Int64 = 100_000_000  // ns

  init(_ transport: LocalTransport, for awaited: Awaited) {
    (self.transport, self.awaited) = (transport, awaited)
    spinLimit = transport.isCrowded ? 4 : 400
  }

  /// Waits a little. Throws if what is waited for can't come any more.
  ///
  /// - Parameter isThere: Whether what is waited for has come, if that does not show in the rings.
  @inline(__always)
  mutating func pause(_ isThere: (LocalTransport) -> Bool) throws {
    spins &+= 1
    if spins <= spinLimit {
      if transport.gate.isShared { transport.gate.pause { _ = apus_relax() } } else { _ = apus_relax() }
      if spins & 15 != 0 || transport.isQuiet { return }
      return try transport.progress(around: awaited.selector)
    }
    try pauseLonger(isThere)
  }

  @inline(never)
  private mutating func pauseLonger(_ isThere: (LocalTransport) -> Bool) throws {
    yields &+= 1
    let isPatient = yields <= Self.patience && transport.isQuiet
    if !isPatient {
      try transport.progress(around: awaited.selector)
      // It may just have been taken out of its ring, and would not be found there any more.
      if isThere(transport) { return }
    }
    try transport.checkJob(awaited.context)
    switch awaited {
    case .message(let selector): try transport.checkSource(selector)
    case .receiver(let rank, let envelope): try transport.checkReceiver(rank, envelope.context)
    case .pieces(let envelope): try transport.checkReceiver(Int(envelope.source), envelope.context)
    case .end, .anything: break
    }
    let now = apus_now()
    if deadline == 0 { deadline = now + yieldTime + awaited.copyTime }
    if now < deadline || isPatient {
      transport.gate.pause { sched_yield() }
    } else {
      try sleep(isThere)
    }
  }

  /// Sleeps until somebody wakes the rank, but `anything` for one period at most.
  private mutating func sleep(_ isThere: (LocalTransport) -> Bool) throws {
    let own = transport.own
    let expected = own.announceSleep()
    // A full fence in every rank: either it sees that we sleep, or we see what it did before it looked.
    if !apus_barrier_all() { atomicMemoryFence(ordering: .sequentiallyConsistent) }
    transport.sleepers += 1
    defer {
      transport.sleepers -= 1
      // Not while another thread of ours sleeps: nobody would wake it.
      if transport.sleepers == 0 { own.endSleep() }
      isAwake = false
    }
    var isBounded = false
    if case .anything = awaited { isBounded = true }
    while !isThere(transport), !transport.hasAnyNews, !own.wasWoken(since: expected) {
      if !isBounded { transport.deadlock.fallsAsleep(expected) }
      transport.gate.pause { own.sleep(expected, nanoseconds: Self.sleepTime) }
      if !isBounded { transport.deadlock.awakes(expected) }
      // Not by a wake: a whole period has passed.
      if !own.wasWoken(since: expected) { transport.lookForDeadlock(awaited, expected) }
      // Having said that the rank is blocked, it stays here as the others do, until that is taken back.
      if isBounded, !transport.isSaidBlocked { break }
    }
    if !isBounded { return try transport.endsToBeBlocked(expected, isThere) }
    do { try transport.endsToBeBlocked(expected) { _ in false } } catch { transport.endAwaited(error) }
  }
}

extension LocalTransport {
  /// Takes in what has come, but for what the caller itself will find at its next look.
  @inline(__always)
  func progress(around selector: Selector?) throws {
    for peer in 0..<size where peer != rank {
      if let selector, selector.source == Int32(peer) || selector.source == Selector.any { continue }
      try take(everythingFrom: peer)
    }
    advanceSends()
  }

  /// Whether nothing goes on that what is in the rings could be for: only a sender that finds no room there would
  /// wait for it to be taken in.
  var isQuiet: Bool {
    mailbox.receives.isEmpty && waitingForSlots == 0 && announced.isEmpty && streaming.isEmpty
      && streams.isEmpty && claimed.isEmpty && !gate.isShared
  }

  @inline(__always)
  private func take(everythingFrom peer: Int) throws {
    if (incoming + peer).pointee.hasNews { try progressInside() }
  }

  /// Whether anything has come, or what was started can go on.
  var hasAnyNews: Bool {
    if memory.failed.pointee.load(ordering: .relaxed) != 0 { return true }
    for peer in 0..<size where peer != rank {
      if (incoming + peer).pointee.hasNews { return true }
    }
    return canAdvanceSends() || (fetching == 0 && !claimed.isEmpty)
  }
}

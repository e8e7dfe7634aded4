import CApus
import Glibc
import Synchronization

/// What a rank waits for.
enum Awaited {
  /// A message.
  case message(Selector)
  /// A rank that has to receive a message, or to make room for one.
  case receiver(Int, Envelope)
  /// The other fragments of a message.
  case fragments(Envelope)
  /// At the rank's end: that all it has sent is received.
  case end
  /// Whatever happens, for a bounded time.
  case anything

  var selector: Selector? { if case .message(let selector) = self { selector } else { nil } }

  /// How long a receiver may take to copy a long message, in nanoseconds. To sleep meanwhile would cost more.
  fileprivate var copyTime: UInt64 {
    if case .receiver(_, let envelope) = self { UInt64(min(max(0, envelope.count), 16 << 20) / 4) } else { 0 }
  }

  /// The context of the communicator that waits; the world's if none does.
  var context: UInt32 {
    switch self {
    case .message(let selector): selector.context
    case .receiver(_, let envelope), .fragments(let envelope): envelope.context
    case .end, .anything: 0
    }
  }
}

/// How a rank waits: it looks a few times, lets others run between looks for a bounded time, and then sleeps
/// until another rank wakes it. Meanwhile it moves unexpected messages out of the rings, so that their
/// senders can go on.
struct Waiting {
  private let transport: LocalTransport
  private let awaited: Awaited
  /// False once it has slept.
  private(set) var isAwake = true
  private var spins = 0
  private var yields = 0
  private var deadline: UInt64 = 0

  /// Looks before the first `sched_yield`: about 10 µs if each rank has a processor, else next to none.
  private let spinLimit: Int
  /// Nanoseconds. Longer where ranks share processors: to yield then helps whoever is waited for, and to sleep and wake
  /// costs all of them an interrupt.
  private var yieldTime: UInt64 { transport.isCrowded ? 300_000 : 50_000 }
  /// Yields until unexpected messages are moved out of their rings. Before that they stay there: to copy one
  /// out, and find it again, takes longer than such a wait.
  private static let patience = 16
  /// How long a rank sleeps before it looks by itself, for a deadlock above all. There is no hurry.
  private static let sleepTime: Int64 = 100_000_000  // ns

  init(_ transport: LocalTransport, for awaited: Awaited) {
    (self.transport, self.awaited) = (transport, awaited)
    spinLimit = transport.isCrowded ? 4 : 400
  }

  /// Waits a little. Throws if what is waited for can't come any more.
  ///
  /// - Parameter isThere: Whether what is waited for has come in a way that does not show in the rings.
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
      // What we wait for may just have been moved out of its ring, where nobody would find it any more.
      if isThere(transport) { return }
    }
    try check()
    let now = apus_now()
    if deadline == 0 { deadline = now + yieldTime + awaited.copyTime }
    if now < deadline || isPatient {
      transport.gate.pause { sched_yield() }
    } else {
      try sleep(isThere)
    }
  }

  /// Throws if what is waited for can't come any more.
  private func check() throws {
    try transport.checkJob(awaited.context)
    switch awaited {
    case .message(let selector): try transport.checkSource(selector)
    case .receiver(let rank, let envelope): try transport.checkReceiver(rank, envelope.context)
    case .fragments(let envelope): try transport.checkReceiver(Int(envelope.source), envelope.context)
    case .end, .anything: break
    }
  }

  /// Sleeps until the rank is woken; for `anything`, one period at most.
  private mutating func sleep(_ isThere: (LocalTransport) -> Bool) throws {
    let own = transport.own
    let expected = own.announceSleep()
    // A full fence in every rank: either it sees that we sleep, or we see what it did before it looked.
    if !apus_barrier_all() { atomicMemoryFence(ordering: .sequentiallyConsistent) }
    transport.sleepers += 1
    defer {
      transport.sleepers -= 1
      // Not while another thread of this rank sleeps: no sender would wake it.
      if transport.sleepers == 0 { own.endSleep() }
      isAwake = false
    }
    var isBounded = false
    if case .anything = awaited { isBounded = true }
    // Who ended since the last look has not seen that this rank sleeps, and does not wake it.
    try check()
    while !isThere(transport), !transport.hasAnyNews, !own.wasWoken(since: expected) {
      if !isBounded { transport.deadlock.fallsAsleep(expected) }
      transport.gate.pause { own.sleep(expected, nanoseconds: Self.sleepTime) }
      if !isBounded { transport.deadlock.awakes(expected) }
      try endIfInterrupted(expected)
      // Nobody has woken the rank: a whole period has passed.
      if !own.wasWoken(since: expected) { transport.lookForDeadlock(awaited, expected) }
      // While the rank is said to be blocked this thread sleeps on, as the others do.
      if isBounded, !transport.isSaidBlocked { break }
    }
    if !isBounded { return try transport.endsToBeBlocked(expected, isThere) }
    do { try transport.endsToBeBlocked(expected) { _ in false } } catch { transport.endAwaited(error) }
  }

  private func endIfInterrupted(_ expected: UInt32) throws {
    guard let isWanted = WaitInterruption.isWanted else { return }
    if case .anything = awaited { return }
    var isInterrupted = false
    // It may wait for a thread that waits for the transport.
    transport.gate.pause { isInterrupted = isWanted() }
    guard isInterrupted else { return }
    try transport.endsToBeBlocked(expected) { _ in true }
    throw WaitInterrupted()
  }
}

extension LocalTransport {
  /// Moves what has come out of the rings, but for those at which the caller looks next anyway.
  @inline(__always)
  func progress(around selector: Selector?) throws {
    for peer in 0..<size where peer != rank {
      if let selector, selector.source == Int32(peer) || selector.source == Selector.any { continue }
      try take(everythingFrom: peer)
    }
    advanceSends()
  }

  /// Whether nothing that was started could need what is in the rings. It may stay there then; only a sender
  /// that finds no room would wait.
  var isQuiet: Bool {
    mailbox.posted.isEmpty && waitingForSlots == 0 && announced.isEmpty && streaming.isEmpty
      && streams.isEmpty && claimed.isEmpty && !gate.isShared
  }

  @inline(__always)
  private func take(everythingFrom peer: Int) throws {
    if (incoming + peer).pointee.hasNews { try progressInside() }
  }

  /// Whether anything has come, or something that was started can go on.
  var hasAnyNews: Bool {
    if memory.failed.pointee.load(ordering: .relaxed) != 0 { return true }
    for peer in 0..<size where peer != rank {
      if (incoming + peer).pointee.hasNews { return true }
    }
    return canAdvanceSends() || (fetching == 0 && !claimed.isEmpty)
  }
}

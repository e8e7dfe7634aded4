import CApus
import ApusCore
import Glibc
import Synchronization

/// How a rank waits: it looks a few times, lets others run between looks for a bounded time, and then sleeps until
/// another rank wakes it. Meanwhile it takes in what comes for later, so that nobody waits for a rank that waits.
struct Waiting {
  private let transport: LocalTransport
  /// Until it has slept.
  private(set) var isAwake = true
  private var spins = 0
  private var deadline: UInt64 = 0

  /// Looks before the first `sched_yield`: about 10 µs with a processor each, and next to none without.
  private let spinLimit: Int
  private static let yieldTime: UInt64 = 50_000  // ns

  init(_ transport: LocalTransport) {
    self.transport = transport
    spinLimit = transport.isCrowded ? 20 : 400
  }

  /// Waits a little. Throws if what is waited for can't come any more.
  ///
  /// - Parameters:
  ///   - selector: The message that is waited for, if it is one.
  ///   - destination: The rank that has to receive something first, if that is waited for.
  ///   - isThere: Whether anything else that is waited for has come.
  @inline(__always)
  mutating func pause(
    _ selector: Selector?, to destination: Int? = nil, _ isThere: (LocalTransport) -> Bool
  ) throws {
    spins &+= 1
    if spins <= spinLimit {
      if transport.isShared { transport.pauseLock { _ = apus_relax() } } else { _ = apus_relax() }
      if spins & 15 != 0 { return }
      return try transport.progressInsideAround(selector)
    }
    try pauseLonger(selector, destination, isThere)
  }

  @inline(never)
  private mutating func pauseLonger(
    _ selector: Selector?, _ destination: Int?, _ isThere: (LocalTransport) -> Bool
  ) throws {
    try transport.progressInsideAround(selector)
    // It may just have been taken out of its ring, and would not be found there any more.
    if isThere(transport) { return }
    try transport.checkJob(selector)
    if let destination { try transport.checkReceiver(destination) }
    let now = apus_now()
    if deadline == 0 { deadline = now + Self.yieldTime }
    if now < deadline {
      transport.pauseLock { sched_yield() }
    } else {
      sleep(selector, isThere)
    }
  }

  private mutating func sleep(_ selector: Selector?, _ isThere: (LocalTransport) -> Bool) {
    let sleeping = transport.own.sleeping
    transport.sleepers += 1
    sleeping.pointee.store(1, ordering: .sequentiallyConsistent)
    // A full fence in every rank: either it sees that we sleep, or we see what it did before it looked.
    if !apus_barrier_all() { atomicMemoryFence(ordering: .sequentiallyConsistent) }
    if !isThere(transport), !transport.hasAnyNews {
      // Bounded: a failure of another rank is told by its supervisor, who may itself be gone.
      transport.pauseLock { apus_futex_wait(sleeping, 1, 100_000_000) }
    }
    isAwake = false
    transport.sleepers -= 1
    // Not while another thread of ours sleeps: nobody would wake it.
    if transport.sleepers == 0 { sleeping.pointee.store(0, ordering: .relaxed) }
  }
}

extension LocalTransport {
  /// Takes in what has come, but for what the caller itself will find at its next look.
  @inline(__always)
  func progressInsideAround(_ selector: Selector?) throws {
    for peer in 0..<size where peer != rank {
      if let selector, selector.source == Int32(peer) || selector.source == Selector.any { continue }
      try take(everythingFrom: peer)
    }
    advanceSends()
  }

  @inline(__always)
  private func take(everythingFrom peer: Int) throws {
    if (incoming + peer).pointee.hasNews { try progressInside() }
  }

  /// Whether anything has come, or started sends can go on.
  var hasAnyNews: Bool {
    if memory.failed.pointee.load(ordering: .relaxed) != 0 { return true }
    for peer in 0..<size where peer != rank {
      if (incoming + peer).pointee.hasNews { return true }
    }
    return canAdvanceSends()
  }

  /// Throws if a rank that has to receive something has ended, and left nothing to be read.
  func checkReceiver(_ destination: Int) throws {
    let pair = incoming + destination
    guard destination != rank, pair.pointee.peer.hasEnded.pointee.load(ordering: .acquiring) != 0,
      !pair.pointee.hasNews
    else { return }
    throw Self.ended(destination)
  }

  static func ended(_ rank: Int) -> MessageError {
    MessageError(.rankEnded, "rank \(rank) has ended, and receives nothing more", rank: rank)
  }

  /// Throws if a rank has failed, or those that could send the message have ended.
  func checkJob(_ selector: Selector?) throws {
    let failed = memory.failed.pointee.load(ordering: .acquiring)
    if failed != 0 {
      let rank = Int(truncatingIfNeeded: failed) &- 1
      throw MessageError(
        .rankFailed, "rank \(rank) has failed, so nothing more can be expected of the job", rank: rank)
    }
    guard let selector else { return }
    let sources = selector.source >= 0 ? Int(selector.source)..<Int(selector.source) + 1 : 0..<size
    var ended: Int?
    for peer in sources where peer != rank {
      // Acquire: what it sent before it ended is there to be seen.
      guard (incoming + peer).pointee.peer.hasEnded.pointee.load(ordering: .acquiring) != 0,
        !(incoming + peer).pointee.hasNews
      else { return }
      ended = peer
    }
    let isSelf = selector.source == Int32(rank)
    // Another thread of ours may send it.
    if isShared, isSelf || size == 1 || selector.source == Selector.any { return }
    if isSelf || size == 1 {
      throw MessageError(
        .deadlock, "rank \(rank) waits for a message from itself, which it can't send while it waits",
        rank: rank)
    }
    throw MessageError(
      .rankEnded,
      selector.source == Selector.any
        ? "all other ranks have ended, and no message is left"
        : "rank \(ended ?? 0) has ended, and no message from it is left", rank: ended)
  }
}

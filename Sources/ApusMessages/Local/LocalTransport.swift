import CApus
import ApusCore
import Glibc
import Synchronization

/// Messages through the shared memory of one machine.
///
/// A message of up to 32 bytes lies in one slot, a longer one in the ring behind the slots, and a long one stays in its
/// sender's memory until the receiver copies it from there. What has come and nobody asked for yet is taken out of
/// the rings whenever its receiver waits for anything, so that its sender can go on.
package final class LocalTransport: Transport, @unchecked Sendable {
  // Sound: `enter` and `leave` around every entry keep all but one thread out.

  package let rank: Int
  package let size: Int
  let memory: LocalMemory
  let own: RankWords
  let incoming: UnsafeMutablePointer<IncomingPair>
  let outgoing: UnsafeMutablePointer<OutgoingPair>
  /// What came before somebody asked for it, in order.
  @exclusivity(unchecked) var stored: [IncomingMessage] = []
  /// Receives that were started, in order.
  @exclusivity(unchecked) var receives: [Operation] = []
  /// Sends that wait for their receiver, by their number.
  @exclusivity(unchecked) var announced: [UInt64: PendingSend] = [:]
  /// Sends that go through a ring in pieces.
  @exclusivity(unchecked) var streaming: [PendingSend] = []
  /// How many sends and answers have no slot yet.
  @exclusivity(unchecked) var waitingForSlots = 0
  @exclusivity(unchecked) var nextNumber: UInt64 = 1
  @exclusivity(unchecked) var streams: [IncomingStream] = []
  /// Whether we may read the memory of other ranks; found out by trying.
  @exclusivity(unchecked) var canReadOthers = true
  /// More ranks than processors: then the one that is waited for may need ours.
  let isCrowded: Bool
  /// Who is to be told of operations that are over.
  @exclusivity(unchecked) private var told: [@Sendable () -> Void] = []
  /// How many operations are over.
  @exclusivity(unchecked) var finished: UInt64 = 0
  /// Threads of ours that sleep.
  @exclusivity(unchecked) var sleepers = 0
  @exclusivity(unchecked) private var lock: Lock?
  @exclusivity(unchecked) private var isBusy = false
  private let onAbort: @Sendable (Int32) -> Never

  /// - Parameter onAbort: Ends the job, and this process.
  package init(
    _ memory: LocalMemory, rank: Int, sharesThreads: Bool, onAbort: @escaping @Sendable (Int32) -> Never
  ) {
    (self.memory, self.rank, size, self.onAbort) = (memory, rank, memory.size, onAbort)
    own = memory.rank(rank)
    isCrowded = memory.size > Processors.ofProgram
    lock = sharesThreads ? Lock() : nil
    incoming = .allocate(capacity: memory.size)
    outgoing = .allocate(capacity: memory.size)
    for peer in 0..<memory.size {
      (incoming + peer).initialize(
        to: IncomingPair(memory.pair(from: peer, to: rank), peer: memory.rank(peer), rank: peer))
      (outgoing + peer).initialize(
        to: OutgoingPair(
          memory.pair(from: rank, to: peer), peer: memory.rank(peer), ringSize: memory.ringSize))
    }
    if !apus_barrier_register() { own.needsFences.pointee.store(1, ordering: .relaxed) }
    own.process.pointee.store(UInt64(getpid()), ordering: .releasing)
  }

  deinit {
    incoming.deallocate()
    outgoing.deallocate()
  }

  package func abort(_ status: Int32) -> Never { onAbort(status) }

  /// Says that this rank has ended its part: nothing more will come from it.
  package func end() {
    if (try? enter()) != nil {
      settleAtEnd()
      leave()
    }
    own.hasEnded.pointee.store(1, ordering: .releasing)
    for peer in 0..<size where peer != rank { memory.wake(peer) }
  }

  // MARK: One thread at a time

  /// Whether several threads may call.
  var isShared: Bool { lock != nil }

  /// Lets several threads call from now on. Called by the one that may.
  package func share() throws {
    try enter()
    if lock == nil {
      lock = Lock()
      isBusy = false
    } else {
      leave()
    }
  }

  @inline(__always)
  func enter() throws {
    if let lock { return lock.lock() }
    guard !isBusy else { throw Self.concurrentUse }
    isBusy = true
  }

  @inline(__always)
  func leave() {
    if !told.isEmpty { return leaveAndTell() }
    if let lock { return lock.unlock() }
    isBusy = false
  }

  /// Whoever waits for an operation is told with the lock free: a continuation takes locks of its own.
  @inline(never)
  private func leaveAndTell() {
    let calls = told
    told = []
    leave()
    for call in calls { call() }
  }

  /// An operation is over.
  func finish(_ operation: Operation, _ error: (any Error)? = nil) {
    operation.finish(error)
    finished &+= 1
    if let call = operation.whenDone { told.append(call) }
    operation.whenDone = nil
  }

  static var concurrentUse: MessageError {
    MessageError(
      .concurrentUse,
      "two threads used the communicators of this rank at the same time; ask for it: world(threads: .multiple)"
    )
  }

  /// Lets other threads in while this one has nothing to do.
  func pauseLock(_ body: () -> Void) {
    lock?.unlock()
    body()
    lock?.lock()
  }

  // MARK: Waking

  /// After something that a rank may wait for: wakes it if it sleeps.
  @inline(__always)
  func wake(_ peer: RankWords) {
    // Where its kernel knows membarrier, the sleeper makes our fence for us; see `Waiting.sleep`. The load is
    // sequentially consistent so that the compiler leaves it behind the store before it.
    if peer.needsFences.pointee.load(ordering: .relaxed) != 0 {
      atomicMemoryFence(ordering: .sequentiallyConsistent)
    }
    guard peer.sleeping.pointee.load(ordering: .sequentiallyConsistent) != 0 else { return }
    wakeSleeper(peer)
  }

  @inline(never)
  private func wakeSleeper(_ peer: RankWords) {
    peer.sleeping.pointee.store(0, ordering: .sequentiallyConsistent)
    apus_futex_wake(peer.sleeping, .max)
  }
}

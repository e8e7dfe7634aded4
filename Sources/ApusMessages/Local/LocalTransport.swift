import ApusSystem
import CApus
import Glibc
import Synchronization

/// Messages through the shared memory of one machine.
///
/// A message of up to 32 bytes is in its slot (inline), a longer one in the ring behind the slots (eager),
/// and a long one stays in its sender's memory until the receiver copies it from there (rendezvous).
/// Unexpected messages are moved out of the rings when their receiver waits for something else, so that their
/// senders can go on. See README.md.
package final class LocalTransport: Transport, @unchecked Sendable {
  // Sound: `enter` and `leave` around every entry keep all but one thread out.

  package let rank: Int
  package let size: Int
  let memory: LocalMemory
  let own: RankWords
  let incoming: UnsafeMutablePointer<IncomingPair>
  let outgoing: UnsafeMutablePointer<OutgoingPair>
  let mailbox = Mailbox()
  let gate: Gate
  /// Rendezvous sends whose receiver has not answered yet, by their number.
  @exclusivity(unchecked) var announced: [UInt64: PendingSend] = [:]
  /// Sends that go through a ring in fragments.
  @exclusivity(unchecked) var streaming: [PendingSend] = []
  /// How many sends and answers have no slot yet.
  @exclusivity(unchecked) var waitingForSlots = 0
  @exclusivity(unchecked) var nextNumber: UInt64 = 1
  @exclusivity(unchecked) var streams: [IncomingStream] = []
  /// Posted receives whose rendezvous message came while another one was fetched in fragments. They are
  /// fetched after it.
  let claimed = Queue<(operation: Operation, message: IncomingMessage)>()
  /// How many messages are being fetched in fragments.
  @exclusivity(unchecked) var fetching = 0
  /// Whether we may read the memory of other ranks; found out by trying.
  @exclusivity(unchecked) var canReadOthers = true
  /// Whether we may write to it, likewise.
  @exclusivity(unchecked) var canWriteOthers = true
  /// Where a receive from any rank looks first: at the rank behind the one whose message it took last.
  @exclusivity(unchecked) var firstSource = 0
  /// The system's memory, in bytes. A message that says it is longer comes from a rank that has run wild.
  let mostBytes = Int(clamping: apus_memory_total())
  /// Whether there are more ranks than processors: the rank that is waited for may need ours.
  let isCrowded: Bool
  /// How often a receive looks for its message before it does anything else: about a microsecond.
  let quickLooks: Int
  /// Threads of ours that sleep.
  @exclusivity(unchecked) var sleepers = 0
  /// Threads of ours that move on what is awaited.
  @exclusivity(unchecked) var movers = 0
  @exclusivity(unchecked) var deadlock = DeadlockWatch()
  /// The ranks of communicators that have not all of them.
  private let groups = Locked<[UInt32: [Int32]]>([:])
  private let onAbort: @Sendable (Int32) -> Never

  /// - Parameter onAbort: Ends the job, and this process.
  package init(
    _ memory: LocalMemory, rank: Int, sharesThreads: Bool, onAbort: @escaping @Sendable (Int32) -> Never
  ) {
    (self.memory, self.rank, size, self.onAbort) = (memory, rank, memory.size, onAbort)
    own = memory.rank(rank)
    isCrowded = memory.size > Processors.ofProgram
    quickLooks = isCrowded ? 2 : 30
    gate = Gate(mailbox, isShared: sharesThreads)
    incoming = .allocate(capacity: memory.size)
    outgoing = .allocate(capacity: memory.size)
    for peer in 0..<memory.size {
      (incoming + peer).initialize(
        to: IncomingPair(memory.pair(from: peer, to: rank), peer: memory.rank(peer), rank: peer))
      (outgoing + peer).initialize(
        to: OutgoingPair(
          memory.pair(from: rank, to: peer), peer: memory.rank(peer), ringSize: memory.ringSize))
    }
    #if DEBUG
      canReadOthers = getenv("APUS_NO_PROCESS_READ") == nil
    #endif
    if !apus_barrier_register() { own.needsFences.pointee.store(1, ordering: .relaxed) }
    own.process.pointee.store(UInt64(getpid()), ordering: .releasing)
  }

  deinit {
    incoming.deallocate()
    outgoing.deallocate()
  }

  package func abort(_ status: Int32) -> Never { onAbort(status) }

  package func share() throws { try gate.share() }

  package func form(_ context: UInt32, of members: [Int32]?) { groups.withLock { $0[context] = members } }

  /// The ranks of the communicator that a context belongs to; nil: all.
  func members(of context: UInt32) -> [Int32]? { groups.withLock { $0[Contexts.communicator(of: context)] } }

  /// Says that this rank has ended its part: nothing more will come from it. Throws `MessageError` (`concurrentUse`) if
  /// another thread is in the middle of a call, and maybe of another rank's memory: that is no end in good order.
  package func end() throws {
    try gate.enter()
    settleAtEnd()
    gate.finish()
    own.hasEnded.pointee.store(1, ordering: .releasing)
    for peer in 0..<size where peer != rank { memory.rank(peer).wakeThreads() }
  }

  // MARK: What is over

  /// An operation is over.
  func finish(_ operation: Operation, _ error: (any Error)? = nil) {
    mailbox.finish(operation, error)
    wakeOurselves()
  }

  /// Gives a message to the receive that was started for it, or keeps it.
  func settle(_ message: IncomingMessage) {
    // While one message is fetched others come. They must not be fetched in turn: the stack would grow with
    // their number.
    if fetching > 0, case .remote = message.place, let operation = mailbox.claim(message.envelope) {
      return claimed.append((operation, message))
    }
    mailbox.settle(message, Inside(self))
    wakeOurselves()
  }

  /// Fetches the messages in `claimed`.
  func completeClaimed() {
    while fetching == 0, !claimed.isEmpty, let (operation, message) = claimed.popFirst() {
      mailbox.complete(operation, message, Inside(self))
      wakeOurselves()
    }
  }

  package func refuse(_ context: UInt32, upTo number: CollectiveNumber) {
    guard (try? gate.enter()) != nil else { return }
    defer { leaveUntold() }
    mailbox.refuse(context, upTo: number, Inside(self))
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
    guard peer.isSleeping else { return }
    peer.wakeThreads()
  }

  /// Another thread of ours may sleep that waits for what this one has come upon.
  @inline(__always)
  func wakeOurselves() { if sleepers > 0 { own.wakeThreads() } }
}

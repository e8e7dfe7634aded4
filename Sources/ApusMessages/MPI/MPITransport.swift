import ApusSystem
import CApus
import Glibc

/// Messages through an MPI library.
///
/// A message is its header and, if it is short, its bytes behind it, sent as one MPI message; that of one number has
/// its header in its MPI tag. The bytes of a long one follow on a duplicate of the communicator, under a tag of their
/// own: so the receiver can make room for them once it has read the header, no copy is needed, and what belongs
/// together can't be mixed up.
///
/// While nothing that was started is under way, a call is one call of the library, which waits in its own way.
final class MPITransport: Transport, @unchecked Sendable {
  // Sound: `enter` and `leave` around every entry keep all but one thread out.

  let rank: Int
  let size: Int
  let library: MPILibrary
  let headers: MPICommunicator
  let payloads: MPICommunicator
  /// For what the library does by itself: collective operations.
  let natives: MPICommunicator
  /// The library's greatest tag.
  let tagLimit: Int32
  let shortHeader: MPIShortHeader
  let mailbox = Mailbox()
  @exclusivity(unchecked) var sends: [MPISend] = []
  /// The tag of the next long message to each rank.
  @exclusivity(unchecked) var nextTag: [Int32]
  /// Where a message of unknown length is received.
  let landing: UnsafeMutableRawBufferPointer
  /// Where a short message is put together.
  let departure: UnsafeMutableRawPointer
  /// Communicators that nobody has any more.
  let abandoned = Locked<[MPICommunicator]>([])
  /// No message is longer, whatever a rank that has run wild says: this system has not so much memory.
  let mostBytes = Int(clamping: apus_memory_total())
  /// How many long messages are being fetched, one within the other.
  @exclusivity(unchecked) var fetching = 0
  static let mostFetches = 8
  /// Long messages that came meanwhile: for a receive, or for nobody.
  let claimed = Queue<(operation: Operation?, message: IncomingMessage)>()
  @exclusivity(unchecked) var isFetchingClaimed = false
  /// Receives of nothing, by the context of what was given up; see `refuse`.
  @exclusivity(unchecked) var refusals: [UInt32: Operation] = [:]
  /// Those of communicators that nobody has any more: they end with the world's next barrier.
  let abandonedRefusals = Locked<[UInt32]>([])
  let gate: Gate

  /// Bytes that go along with the header.
  static let shortLimit = 4096

  init(_ library: MPILibrary, threads: ThreadLevel) throws {
    guard library.threadLevel >= threads.mpi else { throw library.tooFewThreads(threads.mpi) }
    self.library = library
    (rank, size) = (library.world.rank, library.world.size)
    (headers, payloads) = (try library.world.duplicate(), try library.world.duplicate())
    natives = try library.world.duplicate()
    tagLimit = try headers.greatestTag()
    shortHeader = MPIShortHeader(tagLimit: tagLimit)
    nextTag = Array(repeating: 0, count: size)
    landing = .allocate(byteCount: MPIHeader.size + Self.shortLimit, alignment: 64)
    departure = .allocate(byteCount: MPIHeader.size + Self.shortLimit, alignment: 64)
    gate = Gate(mailbox, isShared: threads.isMultiple)
  }

  deinit {
    landing.deallocate()
    departure.deallocate()
  }

  /// The end of this rank's part. Sends that nobody waited for are brought to their end first.
  func finish() throws {
    try enter()
    var turns = 0
    while !sends.isEmpty {
      // What still comes is for nobody, but its sender may have to be heard before it hears us.
      try? progressInside()
      try pause(&turns)
    }
    try waitForOthersAtEnd()
    gate.finish()
    try library.finish()
  }

  /// The library's end waits for all ranks, and takes nothing in meanwhile. One may still be sending something long that
  /// this rank never received, such as a part of an operation that it gave up.
  private func waitForOthersAtEnd() throws {
    // Not on `natives`, where a rank that calls fewer operations than the others would meet one of theirs.
    guard size > 1, library.isOurs, var request = try? headers.startBarrier() else { return }
    var turns = 0
    while try !calling({ () throws(MPIFailure) in try request.testBlindly() }) {
      try? progressInside()
      try pause(&turns)
    }
  }

  func abort(_ status: Int32) -> Never {
    headers.abort(status: status == 0 ? 1 : status)
    _exit(status == 0 ? 1 : status)
  }

  // MARK: One thread at a time

  var isShared: Bool { gate.isShared }
  /// Whether a call may wait inside the library: nothing else has to be moved on meanwhile.
  @inline(__always)
  var mayBlock: Bool { !gate.isShared && sends.isEmpty && mailbox.posted.isEmpty }

  func share() throws {
    guard library.threadLevel >= .serialized else { throw library.tooFewThreads(.serialized) }
    try gate.share()
  }

  @inline(__always)
  func enter() throws { try gate.enter() }

  @inline(__always)
  func leave() { gate.leave() }

  /// Leaves without telling anybody: see `Gate.leaveUntold`. The thread that moves on what is awaited does that, which
  /// never sleeps for longer than a millisecond.
  func leaveUntold() { gate.leaveUntold() }

  /// Lets other threads in, and other processes, while there is nothing to do. The longer it takes the longer it
  /// sleeps, up to a millisecond: MPI has no way to wait for several things at once. Throws if MPI was finished
  /// meanwhile.
  func pause(_ turns: inout Int) throws {
    turns += 1
    gate.pause {
      if turns < 200 {
        _ = apus_relax()
      } else if turns < 1000 {
        sched_yield()
      } else {
        usleep(UInt32(min(1000, turns / 20)))
      }
    }
    // Let go of by `leave`, also after the error.
    if gate.isFinished { throw MessageError(.finalized, "rank \(rank) has ended its part", rank: rank) }
  }

  /// Errors of the library as errors of ours.
  @inline(__always)
  func calling<R>(_ body: () throws(MPIFailure) -> R) throws -> R {
    do { return try body() } catch {
      throw MessageError(.transport, "\(error)", underlying: error)
    }
  }
}

extension ThreadLevel {
  /// Where several threads call, a lock of ours lets them into the library one by one.
  var mpi: MPILibrary.ThreadLevel { self == .funneled ? .funneled : .serialized }
}

extension MPILibrary {
  func tooFewThreads(_ wanted: ThreadLevel) -> MessageError {
    MessageError(
      .startUpFailed,
      "\(version) was started for the thread level \(threadLevel), and this takes \(wanted): "
        + "start it with MPI_Init_thread and that level, or leave its start to Communicator.world(); with "
        + "world(threads: .funneled) one thread alone makes blocking calls")
  }
}

import ApusSystem
import CApus
import Glibc
import Synchronization

// A long message whose sender waits is copied by sender and receiver together: each takes the next part that
// nobody has, until none is left. Two processors copy twice as fast as one.

/// The parts of a long message. Sender and receiver find the same ones.
struct CopyParts {
  /// For a shorter message the agreement costs more than the second processor gains.
  static let leastCount = 1 << 20

  private let total: Int
  private let size: Int

  init(of total: Int) {
    self.total = total
    // Few parts, since each is a system call. But small ones, so that nobody waits long for the last; and no
    // more than the 16 bits of `CopyWords.claim` can count.
    size = (max(128 << 10, min(total / 8, 4 << 20), total / 0xf000) + 4095) & ~4095
  }

  var count: Int { (total + size - 1) / size }

  func range(_ part: Int) -> Range<Int> { part * size..<min(total, (part + 1) * size) }
}

/// The words by which sender and receiver share a message out. There are some for each pair of ranks.
struct CopyWords {
  let base: UnsafeMutableRawPointer

  private func word(_ index: Int) -> SharedWord {
    (base + index * 8).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// The sender's number of the message that is open, and in the lowest 16 bits how many parts are taken. 0:
  /// none is open. Both sides change it.
  private var claim: SharedWord { word(0) }
  /// The address in the receiver's memory where the message goes.
  var address: SharedWord { word(1) }
  /// How many parts the sender has finished, whether or not it could copy them.
  var finished: SharedWord { word(2) }
  /// One more than the part that the sender could not copy; 0: none.
  var failed: SharedWord { word(3) }

  var number: UInt64 { claim.pointee.load(ordering: .relaxed) >> 16 }

  func open(_ number: UInt64, _ destination: UnsafeMutableRawPointer) {
    address.pointee.store(UInt64(UInt(bitPattern: destination)), ordering: .relaxed)
    finished.pointee.store(0, ordering: .relaxed)
    failed.pointee.store(0, ordering: .relaxed)
    // Release: whoever takes a part sees the other words.
    claim.pointee.store(number << 16, ordering: .releasing)
  }

  /// Takes the next part of a message, for the caller to copy. Nil if the message is not open. A number of
  /// `CopyParts.count` or more says that all parts are taken.
  func take(_ number: UInt64) -> Int? {
    var word = claim.pointee.load(ordering: .acquiring)
    while word >> 16 == number, word & 0xffff < 0xffff {
      let (isTaken, now) = claim.pointee.compareExchange(
        expected: word, desired: word + 1, ordering: .acquiringAndReleasing)
      if isTaken { return Int(word & 0xffff) }
      word = now
    }
    return nil
  }

  /// Closes the message: nobody takes a part any more. Returns how often `take` gave one, which may be more
  /// often than there are parts.
  func close() -> Int { Int(claim.pointee.exchange(0, ordering: .acquiringAndReleasing) & 0xffff) }
}

extension LocalTransport {
  // MARK: The receiver

  func canCopyTogether(_ envelope: Envelope, _ rendezvous: Rendezvous) -> Bool {
    rendezvous.isAwaited && envelope.count >= CopyParts.leastCount && !isCrowded && !gate.isShared
      // A sender that has to be woken would come too late.
      && !(incoming + Int(envelope.source)).pointee.peer.isSleeping
  }

  /// Copies a message together with its sender. Returns 0, or the errno with which the kernel refused. Throws
  /// if the sender is lost meanwhile.
  ///
  /// After that the sender writes to `destination` no more, with one exception. If the job failed while the
  /// sender was stopped in the middle of a part, it may finish that part when it is continued.
  func copyTogether(
    _ envelope: Envelope, _ rendezvous: Rendezvous, from process: Int32,
    into destination: UnsafeMutableRawPointer
  ) throws -> Int32 {
    let words = (incoming + Int(envelope.source)).pointee.memory.copyWords
    let parts = CopyParts(of: envelope.count)
    func copy(_ part: Int) -> Int32 {
      let range = parts.range(part)
      return apus_memory_read_from(
        process, rendezvous.address &+ UInt64(range.lowerBound), destination + range.lowerBound, range.count)
    }
    words.open(rendezvous.number, destination)
    var (mine, problem) = (0, Int32(0))
    while problem == 0, let part = words.take(rendezvous.number), part < parts.count {
      problem = copy(part)
      mine += 1
    }
    let others = min(words.close(), parts.count) - mine
    // Each part is taken once, by one of the two. If the numbers differ, a rank has run wild.
    guard others >= 0, problem != 0 || mine + others == parts.count else {
      throw Self.corrupted(envelope.source)
    }
    if others > 0 {
      try waitForSender(envelope, words, others) {
        var byte: UInt8 = 0
        return apus_memory_read_from(process, rendezvous.address, &byte, 1) == ESRCH
      }
    }
    let failed = Int(truncatingIfNeeded: words.failed.pointee.load(ordering: .relaxed))
    if problem == 0, others > 0, (1...parts.count).contains(failed) { problem = copy(failed - 1) }
    return problem
  }

  /// Waits until the sender has finished its parts. It may be in the middle of one, or be stopped there.
  private func waitForSender(
    _ envelope: Envelope, _ words: CopyWords, _ parts: Int, _ isGone: () -> Bool
  ) throws {
    var (looks, failing) = (0, 0)
    // Acquire: pairs with the release after its last byte.
    while words.finished.pointee.load(ordering: .acquiring) < UInt64(parts) {
      looks += 1
      if looks < 1000 {
        _ = apus_relax()
        continue
      }
      let isPatient = looks < 3000
      if isPatient { sched_yield() } else { usleep(100) }
      // Asked each time: where many programs share the processors, a single yield can take 10 ms.
      guard memory.failed.pointee.load(ordering: .acquiring) != 0 else { continue }
      // The job has failed. A sender that still runs has to finish its part before the caller gets the memory
      // back. For one that is stopped we wait a second: it will be ended.
      if !isPatient { failing += 1 }
      if isGone() || failing > 10_000 { return try checkJob(envelope.context) }
    }
  }

  // MARK: The sender

  #if DEBUG
    private static let failsToWrite = getenv("APUS_NO_PROCESS_WRITE") != nil
  #else
    private static let failsToWrite = false
  #endif

  /// Copies parts of the message that `operation` sends, while its receiver copies others.
  func helpToCopy(_ operation: Operation) {
    guard canWriteOthers, !announced.isEmpty, case .send(let bytes, _, let destination) = operation.kind,
      destination != rank
    else { return }
    let words = outgoing[destination].memory.copyWords
    let number = words.number
    guard number != 0, !gate.isShared, let send = announced[number], send.operation === operation,
      !operation.isDone
    else { return }
    let parts = CopyParts(of: bytes.count)
    while let part = words.take(number), part < parts.count {
      let range = parts.range(part)
      // Valid until this part counts as finished: the receiver waits for that.
      let address = words.address.pointee.load(ordering: .relaxed)
      // The receiver may be gone, and its process number be another process's. Two looks prevent that we
      // write there: the supervisor marks a failed job before it reaps a rank, and it takes a rank's number
      // back when its connection ends (a rank that is no child of the supervisor may be reaped by others at
      // any time). What is left is a number that is given out again between the looks and the system call.
      // The kernel gives out all other numbers first.
      let isRefused = Self.failsToWrite || memory.failed.pointee.load(ordering: .acquiring) != 0
      let process = Int32(
        truncatingIfNeeded: outgoing[destination].peer.process.pointee.load(ordering: .acquiring))
      let problem =
        isRefused
        ? EPERM
        : apus_memory_write_to(
          process, address &+ UInt64(range.lowerBound), bytes.baseAddress! + range.lowerBound, range.count)
      if problem != 0 {
        // `failed` can name one part, so there must be no second one.
        canWriteOthers = false
        words.failed.pointee.store(UInt64(part) + 1, ordering: .relaxed)
      }
      words.finished.pointee.add(1, ordering: .releasing)
      if problem != 0 { return }
    }
  }
}

import ApusSystem
import ApusWire
import ApusMessages
import Glibc

/// Whether a send returns at once, or only when its message has been received: an algorithm that relies on the
/// first gets stuck with the second.
enum Sending: Sendable, CaseIterable { case buffered, synchronous }

/// Why a rank of a test ended early.
enum RankFailure: Error, Equatable {
  /// Every rank that has not ended waits.
  case stuck
  /// Nothing happened for a minute.
  case timedOut
  /// Another rank has failed.
  case abandoned
  case wrongLength(Int, expected: Int)
}

/// Ranks that are threads of this process.
// @unchecked Sendable: the mutex guards what changes.
final class ThreadRanks: @unchecked Sendable {
  let size: Int
  private let sending: Sending
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let conditions: UnsafeMutablePointer<pthread_cond_t>
  private var queues: [[Key: [Letter]]]
  private var isWaiting: [Bool]
  private var active: Int
  private var failure: RankFailure?
  private var arrivals: [Int: Int] = [:]

  private struct Key: Hashable { let source: Int, tag: Int32 }

  fileprivate final class Letter {
    let bytes: [UInt8]
    var isTaken = false
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = [UInt8](bytes) }
  }

  private init(size: Int, sending: Sending) {
    (self.size, self.sending) = (size, sending)
    queues = Array(repeating: [:], count: size)
    isWaiting = Array(repeating: false, count: size)
    active = size
    pthread_mutex_init(mutex, nil)
    conditions = .allocate(capacity: size)
    for rank in 0..<size { pthread_cond_init(conditions + rank, nil) }
  }

  deinit {
    for rank in 0..<size { pthread_cond_destroy(conditions + rank) }
    conditions.deallocate()
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Runs `body` on as many ranks at the same time. Once one of them throws, those that wait do.
  static func run<R: Sendable>(
    _ size: Int, _ sending: Sending, _ body: @escaping @Sendable (ThreadRank) throws -> R
  ) async -> [Result<R, any Error>] {
    let ranks = ThreadRanks(size: size, sending: sending)
    let results = Locked<[Result<R, any Error>?]>(Array(repeating: nil, count: size))
    await withCheckedContinuation { continuation in
      for rank in 0..<size {
        try! NativeThread.start(name: "rank \(rank)") {
          let result = Result { try body(ThreadRank(rank: rank, of: ranks)) }
          let all = results.withLock {
            $0[rank] = result
            return $0.allSatisfy { $0 != nil }
          }
          ranks.end(succeeded: (try? result.get()) != nil)
          if all { continuation.resume() }
        }
      }
    }
    return results.withLock { $0.map { $0! } }
  }

  /// Counts a rank that has come to a place. Returns how many have.
  func arrive(at place: Int, counting: Bool) -> Int {
    locked {
      if counting { arrivals[place, default: 0] += 1 }
      return arrivals[place, default: 0]
    }
  }

  // MARK: What the ranks call

  fileprivate func exchange(
    _ rank: Int, out: (bytes: UnsafeRawBufferPointer, to: Int)?, from source: Int?, tag: Int32
  ) throws -> [UInt8] {
    try locked {
      if let failure { throw failure }
      var letter: Letter?
      if let out {
        letter = Letter(out.bytes)
        queues[out.to][Key(source: rank, tag: tag), default: []].append(letter!)
        wake(out.to)
      }
      var received: [UInt8] = []
      if let source {
        let key = Key(source: source, tag: tag)
        while queues[rank][key, default: []].isEmpty { try wait(rank) }
        let incoming = queues[rank][key]!.removeFirst()
        incoming.isTaken = true
        received = incoming.bytes
        wake(source)
      }
      while sending == .synchronous, let letter, !letter.isTaken { try wait(rank) }
      return received
    }
  }

  fileprivate func post(_ rank: Int, _ bytes: UnsafeRawBufferPointer, to destination: Int, tag: Int32)
    -> Letter
  {
    locked {
      let letter = Letter(bytes)
      queues[destination][Key(source: rank, tag: tag), default: []].append(letter)
      wake(destination)
      return letter
    }
  }

  fileprivate func wait(_ rank: Int, for letters: [Letter]) throws {
    guard sending == .synchronous else { return }
    try locked { for letter in letters { while !letter.isTaken { try wait(rank) } } }
  }

  private func locked<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  private func wake(_ rank: Int) {
    isWaiting[rank] = false
    pthread_cond_signal(conditions + rank)
  }

  private func wait(_ rank: Int) throws(RankFailure) {
    isWaiting[rank] = true
    checkForStandstill()
    var deadline = timespec()
    clock_gettime(CLOCK_REALTIME, &deadline)
    deadline.tv_sec += 60
    while isWaiting[rank] {
      if let failure { throw failure }
      if pthread_cond_timedwait(conditions + rank, mutex, &deadline) == ETIMEDOUT { fail(.timedOut) }
    }
    if let failure { throw failure }
  }

  private func end(succeeded: Bool) {
    locked {
      active -= 1
      if succeeded { checkForStandstill() } else { fail(.abandoned) }
    }
  }

  private func checkForStandstill() {
    if active > 0 && isWaiting.count(where: { $0 }) == active { fail(.stuck) }
  }

  private func fail(_ reason: RankFailure) {
    if failure == nil { failure = reason }
    for rank in 0..<size { pthread_cond_signal(conditions + rank) }
  }
}

/// One of them.
final class ThreadRank: PointToPoint {
  let rank: Int
  let ranks: ThreadRanks
  var size: Int { ranks.size }

  fileprivate init(rank: Int, of ranks: ThreadRanks) { (self.rank, self.ranks) = (rank, ranks) }

  func send(_ bytes: UnsafeRawBufferPointer, to destination: Int, tag: Int32) throws {
    _ = try ranks.exchange(rank, out: (bytes, destination), from: nil, tag: tag)
  }

  func receive(into buffer: UnsafeMutableRawBufferPointer, from source: Int, tag: Int32) throws {
    try fill(buffer, with: ranks.exchange(rank, out: nil, from: source, tag: tag))
  }

  func receive(appendingTo buffer: ByteBuffer, from source: Int, tag: Int32) throws {
    append(try ranks.exchange(rank, out: nil, from: source, tag: tag), to: buffer)
  }

  func exchange(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, into buffer: UnsafeMutableRawBufferPointer,
    from source: Int, tag: Int32
  ) throws {
    try fill(buffer, with: ranks.exchange(rank, out: (bytes, destination), from: source, tag: tag))
  }

  func exchange(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, appendingTo buffer: ByteBuffer, from source: Int,
    tag: Int32
  ) throws {
    append(try ranks.exchange(rank, out: (bytes, destination), from: source, tag: tag), to: buffer)
  }

  func whileSendingToAll(
    _ outgoing: (_ destination: Int) -> UnsafeRawBufferPointer, tag: Int32, receive: () throws -> Void
  ) throws {
    let letters = (0..<size).filter { $0 != rank }.map {
      ranks.post(rank, outgoing($0), to: $0, tag: tag)
    }
    try receive()
    try ranks.wait(rank, for: letters)
  }

  private func fill(_ buffer: UnsafeMutableRawBufferPointer, with bytes: [UInt8]) throws {
    guard bytes.count == buffer.count else {
      throw RankFailure.wrongLength(bytes.count, expected: buffer.count)
    }
    buffer.copyBytes(from: bytes)
  }

  private func append(_ bytes: [UInt8], to buffer: ByteBuffer) {
    bytes.withUnsafeBytes { buffer.append(contentsOf: $0) }
  }
}

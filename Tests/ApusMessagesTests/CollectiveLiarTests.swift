import ApusSystem
import ApusWire
import ApusMessages
import Testing

/// A rank that sends something else than the algorithm says: lengths and contents are checked before memory is
/// touched, so the worst that comes of it is an error.
@Suite struct CollectiveLiarTests {
  enum Lie: Sendable, CaseIterable {
    case nothing, oneByteLess, muchMore, ones, zeros

    var changesLength: Bool { self != .ones && self != .zeros }

    func told(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
      switch self {
      case .nothing: []
      case .oneByteLess: [UInt8](bytes.dropLast())
      case .muchMore: [UInt8](bytes) + [UInt8](repeating: 0xFF, count: 5000)
      case .ones: [UInt8](repeating: 0xFF, count: bytes.count)
      case .zeros: [UInt8](repeating: 0, count: bytes.count)
      }
    }
  }

  /// Every message of every operation is a lie once, and all messages of a rank are.
  @Test(arguments: [2, 3, 5], Lie.allCases)
  func liars(size: Int, lie: Lie) async {
    for operation in CollectiveStep.operations(size: size, chosen: false) {
      let step = CollectiveStep(operation, root: size - 1, length: 5, seed: 12)
      for liar in 0..<size {
        for message in [0, 1, nil] {
          await check(step, size, liar, message, lie)
        }
      }
    }
  }

  private func check(_ step: CollectiveStep, _ size: Int, _ liar: Int, _ message: Int?, _ lie: Lie) async {
    let results = await ThreadRanks.run(size, .buffered) { rank in
      let sender = LyingRank(rank, lie: rank.rank == liar ? lie : nil, message: message)
      let result = Result { try step.carryOut(0, on: sender, world: rank.ranks) }
      return (result, sender.hasLied)
    }
    let outcomes = results.compactMap { try? $0.get() }
    let hasLied = outcomes.contains { $0.1 }
    let errors = outcomes.compactMap { if case .failure(let error) = $0.0 { error } else { nil } }
    if hasLied && step.hasKnownLengths && lie.changesLength {
      let isNoticed = errors.contains {
        if case .wrongLength = $0 as? RankFailure { true } else { false }
      }
      #expect(isNoticed, "\(step), \(size) ranks, rank \(liar) lies in message \(message ?? -1): \(errors)")
    }
    if !hasLied { #expect(errors.isEmpty, "\(step), \(size) ranks") }
  }

  /// What a rank was told of a value of unknown length it does not set memory aside for.
  @Test func enormousLength() async {
    let results = await ThreadRanks.run(2, .buffered) { rank in
      if rank.rank == 0 {
        let head = withUnsafeBytes(of: UInt64(1 << 62).littleEndian) { [UInt8]($0) }
        return try head.withUnsafeBytes { try rank.send($0, to: 1, tag: 7) }
      }
      try rank.broadcast(valueIn: ByteBuffer(), from: 0, tag: 7)
    }
    guard case .failure(let error) = results[1] else {
      Issue.record("there is no such value")
      return
    }
    #expect(error as? RankFailure == .stuck)
  }

  /// A value that is shorter or longer than the root says, or says that it is long and comes at once.
  @Test(arguments: [(5, 3), (5, 6), (0, 1), (3, 100_000), (5, UInt64(1) << 63), (40_000, 40_000)])
  func wrongLength(actual: Int, named: UInt64) async throws {
    let results = await ThreadRanks.run(2, .buffered) { rank in
      if rank.rank == 0 {
        let head =
          [UInt8](repeating: 1, count: actual) + withUnsafeBytes(of: named.littleEndian) { [UInt8]($0) }
        return try head.withUnsafeBytes { try rank.send($0, to: 1, tag: 7) }
      }
      try rank.broadcast(valueIn: ByteBuffer(), from: 0, tag: 7)
    }
    guard case .failure(let error as CollectiveError) = results[1] else {
      Issue.record("\(results[1])")
      return
    }
    #expect(error.code == .malformed)
  }

  /// A value that is shorter or longer than the rank says that it comes from.
  @Test(arguments: [(5, 3), (5, 6), (0, 1), (5, UInt64(1) << 63), (5, UInt64.max)])
  func wrongLengthOfOneOfAll(actual: Int, named: UInt64) async throws {
    let results = await ThreadRanks.run(2, .buffered) { rank in
      if rank.rank == 0 {
        let frame =
          withUnsafeBytes(of: named.littleEndian) { [UInt8]($0) } + [UInt8](repeating: 1, count: actual)
        return try frame.withUnsafeBytes { try rank.send($0, to: 1, tag: 7) }
      }
      _ = try [9].withUnsafeBytes { try rank.allGather(valueIn: $0, tag: 7) }
    }
    guard case .failure(let error as CollectiveError) = results[1] else {
      Issue.record("\(results[1])")
      return
    }
    #expect(error.code == .malformed)
  }

  /// What has come of a value that is not all there is taken back.
  @Test func failedBroadcastAppendsNothing() async throws {
    let results = await ThreadRanks.run(2, .buffered) { rank -> [UInt8]? in
      if rank.rank == 0 {
        let head = withUnsafeBytes(of: UInt64(200_000).littleEndian) { [UInt8]($0) }
        try head.withUnsafeBytes { try rank.send($0, to: 1, tag: 7) }
        let piece = [UInt8](repeating: 1, count: CollectiveChoice.pieceLength)
        try piece.withUnsafeBytes { try rank.send($0, to: 1, tag: 7) }
        try piece.dropLast().withUnsafeBytes { try rank.send($0, to: 1, tag: 7) }
        return nil
      }
      let buffer = ByteBuffer([4, 5])
      do {
        try rank.broadcast(valueIn: buffer, from: 0, tag: 7)
        return nil
      } catch {
        return buffer.contents
      }
    }
    let left = try results[1].get()
    #expect(left == [4, 5])
  }
}

/// A rank some of whose messages are lies.
private final class LyingRank: PointToPoint {
  private let honest: ThreadRank
  private let lie: CollectiveLiarTests.Lie?
  private let message: Int?
  private var sent = 0
  private(set) var hasLied = false

  init(_ honest: ThreadRank, lie: CollectiveLiarTests.Lie?, message: Int?) {
    (self.honest, self.lie, self.message) = (honest, lie, message)
  }

  var rank: Int { honest.rank }
  var size: Int { honest.size }

  private func told(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    defer { sent += 1 }
    guard let lie, message == nil || sent == message else { return [UInt8](bytes) }
    let told = lie.told(bytes)
    if told != [UInt8](bytes) { hasLied = true }
    return told
  }

  func send(_ bytes: UnsafeRawBufferPointer, to destination: Int, tag: Int32) throws {
    try told(bytes).withUnsafeBytes { try honest.send($0, to: destination, tag: tag) }
  }

  func receive(into buffer: UnsafeMutableRawBufferPointer, from source: Int, tag: Int32) throws {
    try honest.receive(into: buffer, from: source, tag: tag)
  }

  func receive(appendingTo buffer: ByteBuffer, from source: Int, tag: Int32) throws {
    try honest.receive(appendingTo: buffer, from: source, tag: tag)
  }

  func exchange(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, into buffer: UnsafeMutableRawBufferPointer,
    from source: Int, tag: Int32
  ) throws {
    try told(bytes).withUnsafeBytes {
      try honest.exchange($0, to: destination, into: buffer, from: source, tag: tag)
    }
  }

  func exchange(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, appendingTo buffer: ByteBuffer, from source: Int,
    tag: Int32
  ) throws {
    try told(bytes).withUnsafeBytes {
      try honest.exchange($0, to: destination, appendingTo: buffer, from: source, tag: tag)
    }
  }

  func whileSendingToAll(
    _ outgoing: (_ destination: Int) -> UnsafeRawBufferPointer, tag: Int32, receive: () throws -> Void
  ) throws {
    let buffers = (0..<size).map { destination in
      let buffer = ByteBuffer()
      if destination != rank { told(outgoing(destination)).withUnsafeBytes { buffer.append(contentsOf: $0) } }
      return buffer
    }
    try honest.whileSendingToAll({ buffers[$0].bytes }, tag: tag, receive: receive)
  }
}

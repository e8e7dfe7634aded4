import Apus
import Glibc

struct Person: Codable, Equatable, Sendable {
  var name: String
  var years: Int
  var scores: [Double?]
}

/// Each rank sends to the next one and receives from the one before: alone, to and from itself.
enum PointToPointScenarios {
  static func play(_ world: Communicator) throws {
    let next = (world.rank + 1) % world.size
    let previous = (world.rank + world.size - 1) % world.size
    try values(world, next, previous)
    try sizes(world, next, previous)
    try order(world, next, previous)
    try wildcards(world)
    try buffers(world, next, previous)
  }

  /// Whatever the type is, the same value arrives.
  static func values(_ world: Communicator, _ next: Int, _ previous: Int) throws {
    func pass<T: Codable & Equatable>(_ value: T) throws {
      let got = try world.sendReceive(value, to: next, tag: 3, T.self, from: previous)
      demand(got == value, "\(got) \(value)")
    }
    try pass(7)
    try pass(-1.5)
    try pass(UInt8(255))
    try pass(true)
    try pass("")
    try pass("grüße 🐦")
    try pass([Int]())
    try pass(Array(0..<1000))
    try pass(["a", "", "c"])
    try pass(Int?.none)
    try pass(Int?.some(3))
    try pass(["x": [1.5], "y": []])
    try pass(Person(name: "Ada", years: 36, scores: [1, nil, 3]))
    try pass((0..<300).map { Person(name: "\($0)", years: $0, scores: []) })
    try pass(SIMD4<Float>(1, 2, 3, 4))
  }

  /// Around each limit between the ways that a message can take, and well beyond all of them.
  static func sizes(_ world: Communicator, _ next: Int, _ previous: Int) throws {
    let near = [0, 1, 31, 32, 33, 63, 64, 65, 1023, 4096, 16383, 16384, 16385, 65535, 65536, 65537, 262_144]
    for count in near + [1_000_003, 10_000_019] {
      let got = try world.sendReceive(pattern(count, world.rank), to: next, [UInt8].self, from: previous)
      demand(got == pattern(count, previous), "\(count) bytes")
    }
  }

  /// Long messages whose senders do nothing but wait, most of them to a rank that is there already.
  static func copiedTogether(_ world: Communicator) throws {
    let peer = world.rank ^ 1
    guard let pair = try world.split(color: world.rank / 2), pair.size == 2 else { return }
    for round in 0..<6 {
      for count in [1 << 20 - 1, 1 << 20, 1 << 20 + 1, 3 << 20 + 5, 16 << 20, 40 << 20 + 4097] {
        let isSender = (world.rank ^ round) & 1 == 0
        let bytes = pattern(count, round)
        var room = [UInt8](repeating: 77, count: count + 8192)
        // Without a pause in between, the sender is not asleep yet.
        try pair.barrier()
        if round / 2 == (isSender ? 1 : 2) { usleep(2000) }
        if isSender {
          try world.send(bytes, to: peer, tag: round)
        } else if round < 3 {
          demand(try world.receive([UInt8].self, from: peer, tag: round) == bytes, "\(count) bytes")
        } else {
          let got = try room.withUnsafeMutableBufferPointer {
            try world.receive(into: .init(rebasing: $0[4096..<4096 + count]), from: peer, tag: round).count
          }
          demand(got == count && Array(room[4096..<4096 + count]) == bytes, "\(count) bytes")
          // What is around it stays as it was.
          demand(room[..<4096].allSatisfy { $0 == 77 } && room[(4096 + count)...].allSatisfy { $0 == 77 })
        }
      }
    }
  }

  /// Bytes that differ from rank to rank, and here and there.
  static func pattern(_ count: Int, _ rank: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: UInt8(rank), count: count)
    for at in stride(from: 0, to: count, by: 1009) { bytes[at] = UInt8(truncatingIfNeeded: at / 1009) }
    return bytes
  }

  /// Many at a time, small and large mixed, arrive in order; those under another tag can be taken first.
  static func order(_ world: Communicator, _ next: Int, _ previous: Int) throws {
    let count = 500
    let requests = try (0..<count).map { number in
      try world.startSend(
        Array(repeating: number, count: number % 7 == 0 ? 20_000 : 3), to: next, tag: number % 2)
    }
    for tag in [1, 0] {
      for number in stride(from: tag, to: count, by: 2) {
        let (array, status) = try world.receiveWithStatus([Int].self, from: previous, tag: tag)
        demand(array == Array(repeating: number, count: number % 7 == 0 ? 20_000 : 3), "\(number)")
        demand(status.source == previous && status.tag == tag && status.count == array.count)
      }
    }
    for (number, request) in requests.enumerated() {
      demand(try request.wait() == Array(repeating: number, count: number % 7 == 0 ? 20_000 : 3))
    }
  }

  static func wildcards(_ world: Communicator) throws {
    try world.barrier()
    let rounds = 20
    if world.rank > 0 {
      for round in 0..<rounds { try world.send(world.rank * 1000 + round, to: 0, tag: round) }
    } else {
      var seen = Array(repeating: 0, count: world.size)
      for _ in 0..<rounds * (world.size - 1) {
        let status = try world.probe(from: .any, tag: .any)
        let (value, again) = try world.receiveWithStatus(Int.self, from: status.source, tag: status.tag)
        demand(status.source == again.source && status.tag == again.tag && status.byteCount == 8)
        demand(status.count == 1)
        demand(value == again.source * 1000 + seen[again.source])
        seen[again.source] += 1
      }
      demand(try world.probeIfAny() == nil)
    }
    try world.barrier()
  }

  static func buffers(_ world: Communicator, _ next: Int, _ previous: Int) throws {
    for count in [0, 1, 100, 100_000] {
      let request = try world.startSend(Array(repeating: Double(world.rank), count: count), to: next)
      var buffer = Array(repeating: -1.0, count: count + 1)
      let status = try buffer.withUnsafeMutableBufferPointer { try world.receive(into: $0, from: previous) }
      demand(status.count == count)
      demand(buffer == Array(repeating: Double(previous), count: count) + [-1])
      try request.wait()
    }
  }
}

import Apus

/// Each mistake is an error, and what comes after it works.
enum MistakeScenarios {
  struct Stubborn: Codable, Sendable {
    struct No: Error {}
    var decodes = true
    init(decodes: Bool) { self.decodes = decodes }
    init(from decoder: any Decoder) throws {
      decodes = try decoder.singleValueContainer().decode(Bool.self)
      if !decodes { throw No() }
    }
    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(decodes)
    }
  }
  struct Unwilling: Codable, Sendable {
    struct No: Error {}
    init() {}
    init(from decoder: any Decoder) throws {}
    func encode(to encoder: any Encoder) throws { throw No() }
  }

  static func play(_ world: Communicator) throws {
    let (next, previous) = ((world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size)
    demand(code { try world.send(1, to: world.size) } == .invalidArgument)
    demand(code { try world.send(1, to: -1) } == .invalidArgument)
    demand(code { try world.send(1, to: next, tag: -1) } == .invalidArgument)
    demand(code { try world.send(1, to: next, tag: Communicator.largestTag + 1) } == .invalidArgument)
    demand(code { _ = try world.receive(Int.self, from: world.size) } == .invalidArgument)
    // No number means any rank or tag, such as `rank - 1` on rank 0.
    for number in [-1, -2, Int.min] {
      demand(code { _ = try world.receive(Int.self, from: number) } == .invalidArgument)
      demand(code { _ = try world.receive(Int.self, from: next, tag: number) } == .invalidArgument)
      demand(code { _ = try world.probeIfAny(from: number) } == .invalidArgument)
      demand(code { _ = try world.startReceive(Int.self, from: number) } == .invalidArgument)
    }
    do { _ = try world.receive(Int.self, from: -1) } catch let error as MessageError {
      demand(error.message.contains("from: .any"))
    }
    demand(code { _ = try world.broadcast(1, from: world.size) } == .invalidArgument)
    demand(code { _ = try world.gather(1, to: -1) } == .invalidArgument)
    demand(code { try world.send(Unwilling(), to: next) } == .notEncodable)

    try world.send([1.5], to: next)
    demand(code { _ = try world.receive([Int].self, from: previous) } == .typeMismatch)
    try world.send(1, to: next)
    demand(code { _ = try world.receive([Int].self, from: previous) } == .typeMismatch)
    let large = try world.startSend(Array(repeating: 1.5, count: 500_000), to: next)
    demand(code { _ = try world.receive(String.self, from: previous) } == .typeMismatch)
    try large.wait()
    try world.send(Stubborn(decodes: false), to: next)
    demand(code { _ = try world.receive(Stubborn.self, from: previous) } == .notDecodable)
    for count in [2, 100_000] {
      let request = try world.startSend(Array(repeating: 1.5, count: count), to: next)
      var one = [0.0]
      demand(
        code { _ = try one.withUnsafeMutableBufferPointer { try world.receive(into: $0, from: previous) } }
          == .tooLong)
      try request.wait()
    }
    demand(try world.sendReceive(3, to: next, Int.self, from: previous) == 3)
    demand(code { _ = try world.scatter([Int](), from: world.rank) } == .invalidArgument || world.size > 1)
    try world.barrier()
  }

  /// In debug builds.
  static func differentOperators(_ world: Communicator) throws {
    do { _ = try world.allReduce(1, world.rank == 0 ? .sum : .max) } catch let error as MessageError {
      print("rank \(world.rank): \(error.code): \(error)")
    }
  }

  static func differentCollectives(_ world: Communicator) throws {
    do {
      if world.rank == 0 { try world.barrier() } else { _ = try world.allReduce(1, .sum) }
    } catch let error as MessageError {
      print("rank \(world.rank): \(error.code): \(error)")
    }
  }
}

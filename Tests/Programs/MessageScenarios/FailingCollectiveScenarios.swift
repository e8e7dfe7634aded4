import Apus

/// A collective operation that one rank can't go on with is an error for those who need it, and what comes after works.
enum FailingCollectiveScenarios {
  struct No: Error {}

  static func play(_ world: Communicator) throws {
    for failing in 0..<world.size {
      func check(
        _ mine: MessageError.Code?, othersFail: Bool = true, _ body: () throws -> Void, line: Int = #line
      ) throws {
        do {
          try body()
          // Not every rank applies the operator.
          demand(mine == nil || world.rank != failing && !othersFail, line: line)
        } catch let error as MessageError {
          if world.rank == failing {
            demand(error.code == mine, "\(error)", line: line)
          } else {
            demand(error.code == .collectiveFailed && error.rank == failing, "\(error)", line: line)
          }
        } catch { demand(error is No && mine == nil && world.rank == failing, "\(error)", line: line) }
        demand(try world.allReduce(1, .sum) == world.size, line: line)
      }

      try check(.notEncodable) {
        _ = try world.broadcast(world.rank == failing ? MistakeScenarios.Unwilling() : nil, from: failing)
      }
      try check(.invalidArgument) {
        _ = try world.scatter(
          world.rank == failing ? [1] + Array(repeating: 2, count: world.size) : nil, from: failing)
      }
      try check(.invalidArgument) { _ = try world.broadcast(Int?.none, from: failing) }
      try check(.notEncodable) { _ = try world.allGather(Sometimes(fails: world.rank == failing)) }
      try check(.notEncodable, othersFail: false) {
        _ = try world.gather(Sometimes(fails: world.rank == failing), to: (failing + 1) % world.size)
      }
      // In the middle, and with messages that wait for their receiver.
      for count in [1, 200_000] {
        try check(nil, othersFail: false) {
          let operation = ReduceOperator<Int> { left, right in
            if world.rank == failing { throw No() }
            return left + right
          }
          _ = try world.allReduce(Array(repeating: 1, count: count), operation)
          if world.size == 1 { throw No() }
        }
      }
    }
    try world.barrier()
  }

  struct Sometimes: Codable, Sendable {
    var fails: Bool
    func encode(to encoder: any Encoder) throws {
      if fails { throw No() }
      var container = encoder.singleValueContainer()
      try container.encode(1)
    }
    init(fails: Bool) { self.fails = fails }
    init(from decoder: any Decoder) throws { fails = false }
  }
}

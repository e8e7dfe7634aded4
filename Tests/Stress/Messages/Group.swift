import Apus
import StressSupport

/// One step on one communicator, as one of its ranks sees it.
struct Group: Sendable {
  let communicator: Communicator
  let step: Step
  /// Different for each communicator of a family.
  private let key: UInt64

  var rank: Int { communicator.rank }
  var size: Int { communicator.size }
  var ranks: Range<Int> { 0..<size }

  init(_ communicator: Communicator, _ members: [Int], _ step: Step) {
    (self.communicator, self.step) = (communicator, step)
    key = mix(step.key, UInt64(members[0]))
  }

  /// The same numbers on all ranks of the communicator.
  func random() -> Random { Random(key) }

  /// What a rank has.
  func made<T: Made>(_ type: T.Type, _ rank: Int, _ index: Int = 0, size: Int) -> T {
    var random = Random(mix(key, UInt64(rank), UInt64(index)))
    return T.make(&random, size: size)
  }

  func made<T: Made>(_ rank: Int, size: Int) -> T { made(T.self, rank, size: size) }

  /// How many elements for each rank: often none.
  func counts(_ random: inout Random, upTo most: Int) -> [Int] {
    ranks.map { _ in random.below(3) == 0 ? 0 : random.below(most + 1) }
  }

  /// What each of the counts has in an array.
  func pieces<T>(_ values: [T], _ counts: [Int]) -> [[T]] {
    var start = 0
    return counts.map { count in
      defer { start += count }
      return Array(values[start..<start + count])
    }
  }

  func equalShares(of total: Int) -> [Int] { ranks.map { total / size + ($0 < total % size ? 1 : 0) } }
}

/// A step did not come out as it must.
struct Mismatch: Error, CustomStringConvertible {
  let description: String
}

func expect<T: Equatable>(_ got: T, _ wanted: T, _ what: @autoclosure () -> String = "") throws {
  guard got != wanted else { return }
  throw Mismatch(description: "\(what()) \("\(got)".prefix(100)) instead of \("\(wanted)".prefix(100))")
}

/// Expects an error of that code.
func expect(_ code: MessageError.Code, _ body: () throws -> Void) throws {
  do { try body() } catch let error as MessageError {
    if error.code == code { return }
    throw error
  }
  throw Mismatch(description: "no error \(code)")
}

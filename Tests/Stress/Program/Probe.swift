import Glibc
import StressSupport

/// The columns of the table that a value's coding and a body can bring about.
enum Moment: String, Codable, Sendable {
  case encodeArgument, decodeArgument, call, encodeResult, decodeResult
}

/// What a task does besides its work: fail in a certain way at a certain moment.
struct Plan: Codable, Sendable {
  let failure: Failure
  let moment: Moment

  func act(at moment: Moment) throws {
    if moment == self.moment { try failure.commit() }
  }
}

/// An argument.
struct Probe: Codable, Sendable {
  let index: Int
  /// How long its body takes, in nanoseconds.
  var work = 0
  var plan: Plan?

  private enum Key: CodingKey { case index, work, plan }

  init(_ index: Int, work: Int = 0, plan: Plan? = nil) {
    (self.index, self.work, self.plan) = (index, work, plan)
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    index = try container.decode(Int.self, forKey: .index)
    work = try container.decode(Int.self, forKey: .work)
    plan = try container.decodeIfPresent(Plan.self, forKey: .plan)
    try plan?.act(at: .decodeArgument)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(index, forKey: .index)
    try container.encode(work, forKey: .work)
    try plan?.act(at: .encodeArgument)
    try container.encodeIfPresent(plan, forKey: .plan)
  }
}

/// A result.
struct Answer: Codable, Sendable {
  let value: Int
  var plan: Plan?

  private enum Key: CodingKey { case value, plan }

  init(_ value: Int, plan: Plan?) { (self.value, self.plan) = (value, plan) }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    value = try container.decode(Int.self, forKey: .value)
    plan = try container.decodeIfPresent(Plan.self, forKey: .plan)
    try plan?.act(at: .decodeResult)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(value, forKey: .value)
    try plan?.act(at: .encodeResult)
    try container.encodeIfPresent(plan, forKey: .plan)
  }
}

/// What the right answer is.
func value(of index: Int) -> Int { (index &* 2_654_435_761) ^ 0x5bd1 }

/// Who has run, in whichever process: a file to which each body adds its index.
enum RunLog {
  private static let file = open(
    Settings.inherited("APUS_STRESS_LOG"), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)

  static func add(_ index: Int) {
    // One write of a few bytes with O_APPEND is whole, whatever other processes do.
    withUnsafeBytes(of: index) { precondition(write(file, $0.baseAddress, $0.count) == $0.count) }
  }

  /// How often each index was added.
  static func counts() -> [Int: Int] {
    var counts: [Int: Int] = [:]
    var index = 0
    var offset = 0
    while withUnsafeMutableBytes(of: &index, { pread(file, $0.baseAddress, $0.count, offset) }) == 8 {
      counts[index, default: 0] += 1
      offset += 8
    }
    return counts
  }
}

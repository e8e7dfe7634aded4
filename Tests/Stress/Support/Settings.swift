import Glibc

/// The arguments, `name=value`, and what the script put into the environment for the workers to see as well.
package enum Settings {
  package static func text(_ name: String, default value: String = "") -> String {
    for argument in CommandLine.arguments where argument.hasPrefix(name + "=") {
      return String(argument.dropFirst(name.count + 1))
    }
    return value
  }

  package static func number(_ name: String, default value: Int = 0) -> Int { Int(text(name)) ?? value }

  package static func inherited(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }

  package static var seed: UInt64 { UInt64(inherited("APUS_SEED")) ?? 1 }

  /// Whether the calls under test are the blocking ones.
  package static var isBlocking: Bool { text("form") == "blocking" }

  /// For what only ends through a time limit. The script tries again with a longer one before it believes
  /// that a sound task took too long.
  package static var limit: Duration { .milliseconds(number("limit", default: 1000)) }
}

/// SplitMix64: the same numbers from the same seed.
package struct Random: RandomNumberGenerator {
  private var state: UInt64

  package init(_ seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }

  package mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
}

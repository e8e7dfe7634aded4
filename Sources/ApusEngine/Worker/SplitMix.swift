/// The generator splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): a counter
/// whose values are mixed. So it can be shared without a lock.
package enum SplitMix {
  /// What the counter is advanced by.
  package static let step: UInt64 = 0x9e37_79b9_7f4a_7c15

  package static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ step
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

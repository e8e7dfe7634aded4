/// As many groups of ranks as the largest power of two that fits: the first groups are of two ranks, the others
/// of one. Groups are runs of ranks, in order, so that what is combined in order of groups is so in order of
/// ranks.
struct PowerOfTwoGroups {
  let count: Int
  /// The number of groups of two.
  let doubles: Int

  init(size: Int) {
    count = 1 << (Int.bitWidth - 1 - size.leadingZeroBitCount)
    doubles = size - count
  }

  /// The ranks of a group; the last of them acts for it.
  func ranks(of group: Int) -> Range<Int> {
    group < doubles ? group * 2..<group * 2 + 2 : group + doubles..<group + doubles + 1
  }

  func group(of rank: Int) -> Int { rank < doubles * 2 ? rank / 2 : rank - doubles }

  func actor(for group: Int) -> Int { ranks(of: group).upperBound - 1 }
}

extension Int {
  var isPowerOf2: Bool { self > 0 && self & (self - 1) == 0 }
  /// The smallest power of two that is not smaller. The number is 1 or more.
  var roundedUpToPowerOf2: Int { 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}

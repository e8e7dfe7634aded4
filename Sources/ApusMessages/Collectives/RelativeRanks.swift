/// The ranks counted from the root on, around: an algorithm for root 0 becomes one for any root.
struct RelativeRanks {
  let root: Int
  let size: Int

  func relative(_ rank: Int) -> Int { rank >= root ? rank - root : rank - root + size }
  func absolute(_ relative: Int) -> Int { relative < size - root ? relative + root : relative + root - size }
}

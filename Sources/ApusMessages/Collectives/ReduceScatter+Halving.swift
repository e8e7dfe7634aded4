extension PointToPoint {
  /// log₂ n rounds, in which two runs of ranks divide their blocks among them: recursive halving, as in
  /// Rabenseifner (2004), with distances that double, so that runs of ranks stay in order.
  ///
  /// A rank would end with the block whose number is its own with the bits reversed; so the blocks are put into
  /// reversed order first, and each rank ends with its own: Träff (2005). Beyond a power of two, groups of two
  /// ranks act as one, for the blocks of both.
  func reduceScatterByHalving(
    _ elements: UnsafeRawBufferPointer, _ layout: BlockLayout, into result: UnsafeMutableRawBufferPointer,
    _ operation: ElementOperator, tag: Int32
  ) throws {
    let rank = rank
    let groups = PowerOfTwoGroups(size: size)
    let group = groups.group(of: rank)
    let members = groups.ranks(of: group)
    let actor = groups.actor(for: group)
    guard rank == actor else {
      try send(elements, to: actor, tag: tag)
      return try receive(into: result, from: actor, tag: tag)
    }

    let reversed = ReversedBlocks(layout, groups)
    try withUnsafeTemporaryAllocation(byteCount: 2 * layout.total, alignment: scratchAlignment) { scratch in
      let blocks = scratch.part(0..<layout.total)
      let incoming = scratch.part(layout.total..<2 * layout.total)
      if members.count == 2 { try receive(into: incoming, from: members.lowerBound, tag: tag) }
      for place in 0..<groups.count {
        let source = layout.range(groups.ranks(of: reversed.group(at: place)))
        let target = blocks.part(reversed.range(place..<place + 1))
        if members.count == 2 {
          try operation.combine(incoming.part(source).readable, elements.part(source), into: target)
        } else {
          target.fill(from: elements.part(source))
        }
      }

      var ours = 0..<groups.count
      var distance = 1
      while distance < groups.count {
        let middle = ours.lowerBound + ours.count / 2
        let halves = (ours.lowerBound..<middle, middle..<ours.upperBound)
        let (kept, given) = group & distance == 0 ? halves : (halves.1, halves.0)
        let partner = groups.actor(for: group ^ distance)
        let half = blocks.part(reversed.range(kept))
        let theirs = incoming.part(0..<half.count)
        try exchange(
          blocks.part(reversed.range(given)).readable, to: partner, into: theirs, from: partner, tag: tag)
        if partner < rank {
          try operation.combine(theirs.readable, half.readable, into: half)
        } else {
          try operation.combine(half.readable, theirs.readable, into: half)
        }
        ours = kept
        distance *= 2
      }

      let last = blocks.part(reversed.range(ours)).readable
      let split = last.count - result.count
      if members.count == 2 { try send(last.part(0..<split), to: members.lowerBound, tag: tag) }
      result.fill(from: last.part(split..<last.count))
    }
  }
}

/// The blocks of the groups in the order of their numbers with the bits reversed.
private struct ReversedBlocks {
  private let shift: Int
  private var starts = [0]

  init(_ layout: BlockLayout, _ groups: PowerOfTwoGroups) {
    shift = groups.count.leadingZeroBitCount + 1
    for place in 0..<groups.count {
      starts.append(starts[place] + layout.range(groups.ranks(of: group(at: place))).count)
    }
  }

  func group(at place: Int) -> Int {
    var (rest, reversed, bits) = (place, 0, Int.bitWidth - shift)
    while bits > 0 {
      reversed = reversed << 1 | rest & 1
      rest >>= 1
      bits -= 1
    }
    return reversed
  }

  func range(_ places: Range<Int>) -> Range<Int> { starts[places.lowerBound]..<starts[places.upperBound] }
}

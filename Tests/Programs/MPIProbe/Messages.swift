import ApusMessages

func checkMessages(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  let (rank, size) = (world.rank, world.size)
  let next = (rank + 1) % size
  let previous = (rank + size - 1) % size

  // A ring by exchange: alone, with itself.
  for count in [0, 1, 1000, 300_000] {
    let mine = (0..<count).map { Int32($0 &+ rank) }
    var room = [Int32](repeating: -1, count: count + 5)
    let status = try filling(&room) { to throws(MPIFailure) in
      try with(mine) { from throws(MPIFailure) in
        try world.exchange(from, to: next, tag: 17, into: to, from: previous, tag: 17)
      }
    }
    checks.expect(status.source, previous, "the source of an exchange")
    checks.expect(status.tag, 17, "the tag of an exchange")
    checks.expect(status.count, count * 4, "the length of an exchange")
    checks.expect(room.prefix(count).elementsEqual((0..<count).map { Int32($0 &+ previous) }), "its content")
    checks.expect(room[count], -1, "nothing is written past it")
  }

  // Nobody: done at once, and empty.
  try world.send([1, 2, 3], to: MPICommunicator.nobody, tag: 1)
  let (nothing, none) = try world.receive(capacity: 3, from: MPICommunicator.nobody, tag: 1)
  checks.expect(nothing, [], "nothing comes from nobody")
  checks.expect(none.source, MPICommunicator.nobody, "and its source is nobody")
  checks.expect(none.count, 0, "and its length is 0")
  checks.expect(none.tag, MPICommunicator.anyTag, "and its tag is any")
  let matched = try world.match(from: MPICommunicator.nobody, tag: 1)
  checks.expect(matched.status.source, MPICommunicator.nobody, "a message from nobody is matched at once")
  var empty: [Int32] = [-1]
  let received = try filling(&empty) { room throws(MPIFailure) in try matched.receive(into: room) }
  checks.expect(received.count == 0 && empty == [-1], "and is empty")

  if size > 1 {
    try checkPairs(world, &checks)
    try checkAnySource(world, &checks)
  }
  try world.over(world.startBarrier())
  let left = try world.immediateProbe(from: MPICommunicator.anyone, tag: MPICommunicator.anyTag)
  checks.expect(left, nil, "no message is left over")
  // Else a fast rank's next message is seen by a slow one's probe.
  try world.over(world.startBarrier())
}

/// Even ranks send to the odd one after them.
private func checkPairs(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  let other = world.rank ^ 1
  let greatest = try world.greatestTag()
  guard other < world.size else { return }
  if world.rank % 2 == 0 {
    try world.send([1, 2, 3], to: other, tag: 5)
    try world.send([4], to: other, tag: greatest)
    try with([Int32(5), 6]) { bytes throws(MPIFailure) in
      try world.synchronousSend(bytes, to: other, tag: 0)
    }
    try world.send([7, 8, 9, 10], to: other, tag: 6)
    try world.send([11], to: other, tag: 7)
    try world.send([12, 13], to: other, tag: 8)
  } else {
    // Out of order, by their tags.
    let last = try world.receive(capacity: 1, from: other, tag: greatest)
    checks.expect(last.values, [4], "the message with the greatest tag")
    checks.expect(last.status.tag, greatest, "the greatest tag")
    let first = try world.receive(capacity: 10, from: other, tag: 5)
    checks.expect(first.values, [1, 2, 3], "the first message")
    checks.expect(first.status.count, 12, "its length")
    let synchronous = try world.receive(
      capacity: 2, from: MPICommunicator.anyone, tag: MPICommunicator.anyTag)
    checks.expect(synchronous.values, [5, 6], "the synchronous message")
    checks.expect(synchronous.status.source, other, "its source")
    checks.expect(synchronous.status.tag, 0, "its tag")

    let seen = try world.probe(from: other, tag: 6)
    checks.expect(seen.count, 16, "the length that a probe sees")
    let probed = try world.receive(capacity: seen.count / 4, from: seen.source, tag: seen.tag)
    checks.expect(probed.values, [7, 8, 9, 10], "the message that was probed")

    let message = try world.match(from: other, tag: 7)
    checks.expect(message.status.count, 4, "the length of a matched message")
    let again = try world.immediateProbe(from: other, tag: 7)
    checks.expect(again, nil, "nobody else sees a matched message")
    var room: [Int32] = [0]
    let status = try filling(&room) { buffer throws(MPIFailure) in try message.receive(into: buffer) }
    checks.expect(room, [11], "the matched message")
    checks.expect(status.source, other, "its source")

    var found: MPIMessage?
    while found == nil { found = try world.immediateMatch(from: other, tag: 8) }
    room = [0, 0]
    if let found {
      var request = try filling(&room) { buffer throws(MPIFailure) in try found.startReceive(into: buffer) }
      let status = try request.wait()
      checks.expect(status.count, 8, "the length of a message matched without waiting")
    }
    checks.expect(room, [12, 13], "the message matched without waiting")
  }
}

/// All the others to rank 0, which takes them as they come.
private func checkAnySource(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  if world.rank != 0 {
    try world.send([Int32](repeating: Int32(world.rank), count: world.rank), to: 0, tag: Int32(world.rank))
    return
  }
  var seen: Set<Int> = []
  for _ in 1..<world.size {
    let (values, status) = try world.receive(
      capacity: world.size, from: MPICommunicator.anyone, tag: MPICommunicator.anyTag)
    checks.expect(status.tag, Int32(status.source), "the tag from rank \(status.source)")
    let expected = [Int32](repeating: Int32(status.source), count: status.source)
    checks.expect(values, expected, "the message from rank \(status.source)")
    seen.insert(status.source)
  }
  checks.expect(seen, Set(1..<world.size), "the ranks heard of")
}

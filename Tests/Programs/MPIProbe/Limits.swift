import ApusMessages
import CApus

/// More elements than an int counts, on a small scale: the limit is made small, the ways are the real ones.
func checkLimits(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  apus_mpi_set_count_limit(1000)
  defer { apus_mpi_set_count_limit(.max) }
  try checkMessages(world, &checks)
  try checkLargeRequests(world, &checks)

  // Either the library counts that far, or it says so, on all ranks alike, and has done nothing.
  if apus_mpi_has_large_counts() {
    try checkMovement(world, root: world.size - 1, count: 2345, "of many", &checks)
    let mine = (0..<2345).map { Int64($0 * (world.rank + 1)) }
    let sum = try world.sum(mine)
    let factor = world.size * (world.size + 1) / 2
    checks.expect(sum == (0..<2345).map { Int64($0 * factor) }, "a sum of many")
  } else {
    checks.expect(.tooLarge, "a sum of many") { () throws(MPIFailure) in
      _ = try world.sum([Int64](repeating: 1, count: 1001))
    }
  }
}

private func checkLargeRequests(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  let next = (world.rank + 1) % world.size
  let previous = (world.rank + world.size - 1) % world.size
  let values = (0..<4000).map { UInt8(truncatingIfNeeded: $0) }
  var room = [UInt8](repeating: 0, count: 4500)
  try with(values) { bytes throws(MPIFailure) in
    try filling(&room) { buffer throws(MPIFailure) in
      var requests = [
        try world.startReceive(into: buffer, from: previous, tag: 8),
        try world.startSend(bytes, to: next, tag: 8),
      ]
      let statuses = try MPIRequest.waitAll(&requests)
      checks.expect(statuses[0].count, 4000, "the length of a large receive")
      let equal = UnsafeRawBufferPointer(buffer).prefix(4000).elementsEqual(bytes)
      checks.expect(equal, "a large message")

      buffer.initializeMemory(as: UInt8.self, repeating: 0)
      var send = try world.startSynchronousSend(bytes, to: next, tag: 9)
      let message = try world.match(from: previous, tag: 9)
      checks.expect(message.status.count, 4000, "the length of a large matched message")
      try message.receive(into: buffer)
      try send.wait()
      let same = UnsafeRawBufferPointer(buffer).prefix(4000).elementsEqual(bytes)
      checks.expect(same, "a large matched message")
    }
  }
}

/// The real size: a little over 2 GiB, from rank 0 to rank 1.
func sendMoreThanAnIntCounts(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  let count = (1 << 31) + 12345
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 4096)
  defer { memory.deallocate() }
  let places = [0, 1 << 30, (1 << 31) - 1, 1 << 31, count - 1]
  if world.rank == 0 {
    for place in places { memory[place] = UInt8(truncatingIfNeeded: place &* 7 &+ 5) }
    try world.send(UnsafeRawBufferPointer(memory), to: 1, tag: 0)
  } else if world.rank == 1 {
    let seen = try world.probe(from: 0, tag: 0)
    checks.expect(seen.count, count, "the length that a probe sees")
    let status = try world.receive(into: memory, from: 0, tag: 0)
    checks.expect(status.count, count, "the length of the message")
    let right = places.allSatisfy { memory[$0] == UInt8(truncatingIfNeeded: $0 &* 7 &+ 5) }
    checks.expect(right, "its content")
    if checks.failures == 0 { say("large: \(status.count) bytes") }
  }
}

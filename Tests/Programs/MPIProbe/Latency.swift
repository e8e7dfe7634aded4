import ApusMessages

/// Ping and pong, as every latency benchmark does; the best of several rounds, since noise only adds.
func measureLatency(_ world: MPICommunicator) throws(MPIFailure) {
  guard world.size >= 2, world.rank < 2 else { return }
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 8)
  defer { memory.deallocate() }
  memory.initializeMemory(as: UInt8.self, repeating: 1)
  let bytes = UnsafeRawBufferPointer(memory)
  let other = 1 - world.rank
  let repetitions = 500
  var best = Double.infinity
  for _ in 0..<400 {
    let clock = ContinuousClock.now
    for _ in 0..<repetitions {
      if world.rank == 0 {
        try world.send(bytes, to: other, tag: 1)
        try world.receive(into: memory, from: other, tag: 1)
      } else {
        try world.receive(into: memory, from: other, tag: 1)
        try world.send(bytes, to: other, tag: 1)
      }
    }
    let took = (ContinuousClock.now - clock) / (2 * repetitions)
    best = min(best, Double(took.components.attoseconds) / 1e9)
  }
  if world.rank == 0 { say("\(Int(best)) ns one way") }
}

/// The same with itself: what calls cost, also on a machine that has other things to do.
func measureCalls(_ world: MPICommunicator) throws(MPIFailure) {
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 8)
  defer { memory.deallocate() }
  memory.initializeMemory(as: UInt8.self, repeating: 1)
  let bytes = UnsafeRawBufferPointer(rebasing: memory[..<8])
  let room = UnsafeMutableRawBufferPointer(rebasing: memory[8...])
  let repetitions = 1000
  var best = Double.infinity
  for _ in 0..<500 {
    let clock = ContinuousClock.now
    for _ in 0..<repetitions {
      var request = try world.startReceive(into: room, from: world.rank, tag: 1)
      try world.send(bytes, to: world.rank, tag: 1)
      try request.wait()
    }
    let took = (ContinuousClock.now - clock) / repetitions
    best = min(best, Double(took.components.attoseconds) / 1e9)
  }
  if world.rank == 0 { say("\(Int(best)) ns for a receive, a send and a wait") }
}

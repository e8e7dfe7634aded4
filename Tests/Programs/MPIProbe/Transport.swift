// Apus's communicator where it stands on MPI: what can't be seen from outside.
import ApusMessages
import CApus

func checkCommunicator() throws {
  // Fewer tags than the program uses: some share one.
  apus_mpi_set_tag_limit(32767)
  let world = try Communicator.world()
  var checks = Checks(world: try MPILibrary.start().world)
  try checkTags(world, &checks)
  try checkLargeReductions(world, &checks)
  try checkHandle(world, &checks)
  let all = try world.allReduce(checks.failures, .sum)
  if world.rank == 0, all == 0 { say("ok: \(checks.count) checks") }
}

private func checkTags(_ world: Communicator, _ checks: inout Checks) throws {
  let next = (world.rank + 1) % world.size
  let previous = (world.rank + world.size - 1) % world.size
  let tags = [0, 32766, 32767, 32768, 40_000, Communicator.largestTag]
  for tag in tags { try world.send(tag, to: next, tag: tag) }
  for tag in tags.reversed() {
    let (value, status) = try world.receiveWithStatus(Int.self, from: previous, tag: tag)
    checks.expect(value == tag && status.tag == tag, "the tag \(tag) is told from others")
  }
  let large = [Double](repeating: 1, count: 10_000)
  let request = try world.startSend(large, to: next, tag: 50_000)
  let (values, status) = try world.receiveWithStatus([Double].self, from: previous)
  try request.wait()
  checks.expect(values == large && status.tag == 50_000, "a long message under a great tag")
}

/// More than the library's functions count: the library's, or ours over messages in parts, and the same result.
private func checkLargeReductions(_ world: Communicator, _ checks: inout Checks) throws {
  apus_mpi_set_count_limit(1000)
  defer { apus_mpi_set_count_limit(.max) }
  for count in [999, 1000, 1001, 5000] {
    let mine = (0..<count).map { $0 * (world.rank + 1) }
    let factor = world.size * (world.size + 1) / 2
    let expected = (0..<count).map { $0 * factor }
    checks.expect(try world.allReduce(mine, .sum) == expected, "a sum of \(count)")
    let root = world.size - 1
    let reduced = try world.reduce(mine, .sum, to: root)
    checks.expect(reduced == (world.rank == root ? expected : nil), "a sum of \(count) for one rank")
    let scanned = try world.scan(mine, .max)
    checks.expect(scanned == mine, "a scan of \(count)")
    var copy = world.rank == root ? expected : Array(repeating: 0, count: count)
    try copy.withUnsafeMutableBufferPointer { try world.broadcast(into: $0, from: root) }
    checks.expect(copy == expected, "a broadcast of \(count)")
  }
}

private func checkHandle(_ world: Communicator, _ checks: inout Checks) throws {
  let half = try world.split(color: world.rank % 2)!
  for communicator in [world, half] {
    let sum: [Int32]? = try communicator.withMPIHandle { mpi in
      let ranks = try MPICommunicator(handle: mpi.communicator)
      checks.expect(ranks.rank == communicator.rank && ranks.size == communicator.size, "ranks and size")
      checks.expect(mpi.libraryPath, try MPILibrary.start().path, "the library's path")
      // One alone waits for nobody.
      if communicator.size > 1 {
        do {
          try communicator.barrier()
          checks.expect(false, "Apus and the program are in the library at a time")
        } catch let error as MessageError { checks.expect(error.code, .concurrentUse, "its error") }
      }
      return try ranks.sum([1])
    }
    // One alone has a communicator only as the world.
    let isThere = communicator.size > 1 || communicator === world
    checks.expect(sum == (isThere ? [Int32(communicator.size)] : nil), "a sum by MPI itself")
  }
  // What is let go of is given back: more than a library has room for.
  for _ in 0..<(world.size == 2 ? 3000 : 50) {
    let copy = try world.duplicate()
    _ = try copy.allReduce(1, .sum)
  }
  let copy = try world.duplicate()
  checks.expect(try copy.withMPIHandle { _ in true } ?? (world.size == 1), "the library still has room")
}

func checkThreadLevel() throws {
  let library = try MPILibrary.start(threads: .funneled)
  var checks = Checks(world: library.world)
  checks.expect(library.threadLevel, .funneled, "the level")
  func refused(_ what: String, _ body: () throws -> Void) {
    do {
      try body()
      checks.expect(false, what)
    } catch let error as MessageError {
      checks.expect(error.code == .startUpFailed && error.message.contains("MPI_Init_thread"), "\(error)")
    } catch { checks.expect(false, "\(error)") }
  }
  refused("a world for any thread") { _ = try Communicator.world() }
  refused("a world for several threads") { _ = try Communicator.world(threads: .multiple) }
  let world = try Communicator.world(threads: .funneled)
  refused("several threads later") { _ = try Communicator.world(threads: .multiple) }
  let sum = try world.allReduce(checks.failures, .sum)
  if world.rank == 0, sum == 0 { say("ok: \(checks.count) checks") }
}

import Apus
import Glibc

// There and back between two ranks; the figure is for one way.

func passValue(_ world: Communicator) throws {
  try pingPong(world, bytes: 8, 1) { value in
    try world.send(value, to: 1, tag: 1)
    value = try world.receive(Int.self, from: 1, tag: 1)
  } answer: { value in
    value = try world.receive(Int.self, from: 0, tag: 1)
    try world.send(value, to: 0, tag: 1)
  }
}

/// Into memory that is there, as C does it.
func passBuffer(_ world: Communicator, bytes: Int) throws {
  try pingPong(world, bytes: bytes, [UInt8](repeating: 1, count: bytes)) { buffer in
    try world.send(buffer, to: 1, tag: 1)
    try receive(world, into: &buffer, from: 1)
  } answer: { buffer in
    try receive(world, into: &buffer, from: 0)
    try world.send(buffer, to: 0, tag: 1)
  }
}

private func receive(_ world: Communicator, into buffer: inout [UInt8], from source: Int) throws {
  let status = try buffer.withUnsafeMutableBufferPointer { try world.receive(into: $0, from: source, tag: 1) }
  require(status.byteCount == buffer.count, "\(status.byteCount) bytes came")
}

private struct Reading: Codable, Equatable {
  var number = 7
  var sensor = "north 7"
  var values = [1.5, 2.5, 3.5]
}

func passStruct(_ world: Communicator) throws {
  try pingPong(world, bytes: 0, Reading()) { reading in
    try world.send(reading, to: 1, tag: 1)
    reading = try world.receive(Reading.self, from: 1, tag: 1)
  } answer: { reading in
    reading = try world.receive(Reading.self, from: 0, tag: 1)
    try world.send(reading, to: 0, tag: 1)
  }
}

/// As a new array each time.
func passArray(_ world: Communicator, bytes: Int) throws {
  try pingPong(world, bytes: bytes, (0..<bytes / 8).map { Double($0) }) { array in
    try world.send(array, to: 1, tag: 1)
    array = try world.receive([Double].self, from: 1, tag: 1)
  } answer: { array in
    array = try world.receive([Double].self, from: 0, tag: 1)
    try world.send(array, to: 0, tag: 1)
  }
}

private func pingPong<Value: Equatable>(
  _ world: Communicator, bytes: Int, _ value: Value, ask: (inout Value) throws -> Void,
  answer: (inout Value) throws -> Void
) throws {
  require(world.size >= 2, "two ranks are needed: start it with apus launch -n 2")
  var current = value
  try measure(world, count: 2, bytes: bytes) { rounds in
    switch world.rank {
    case 0: for _ in 0..<rounds { try ask(&current) }
    case 1: for _ in 0..<rounds { try answer(&current) }
    default: break
    }
  }
  require(current == value, "what came back differs")
}

/// A receive that is blocked for some seconds: the processor time that it takes.
func blockedReceive(_ world: Communicator, seconds: Int) throws {
  require(world.size >= 2, "two ranks are needed: start it with apus launch -n 2")
  try world.barrier()
  if world.rank == 0 {
    let (start, processor) = (now(CLOCK_MONOTONIC), now(CLOCK_PROCESS_CPUTIME_ID))
    _ = try world.receive(Int.self, from: 1)
    let (took, used) = (now(CLOCK_MONOTONIC) - start, now(CLOCK_PROCESS_CPUTIME_ID) - processor)
    print("{\"seconds\": \(took), \"count\": 1, \"cpu\": \(used)}")
  } else if world.rank == 1 {
    sleep(UInt32(seconds))
    try world.send(1, to: 0)
  }
}

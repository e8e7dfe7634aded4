import Apus

struct Particle: RawCodable {
  var x, y, z, mass: Double
}

func shareOfPi(_ steps: Int, _ world: Communicator) throws -> Double {
  var sum = 0.0
  for step in stride(from: world.rank, to: steps, by: world.size) {
    let x = (Double(step) + 0.5) / Double(steps)
    sum += 4 / (1 + x * x)
  }
  return try world.allReduce(sum / Double(steps), .sum)
}

func passOn(_ world: Communicator) throws -> Int {
  let next = (world.rank + 1) % world.size
  let previous = (world.rank + world.size - 1) % world.size
  let request = try world.startReceive([Double].self, from: previous, tag: 3)
  try world.send([Double](repeating: 1, count: world.rank), to: next, tag: 3)
  return try request.wait().count  // as many as were sent: no count was given
}

func collect(_ world: Communicator) throws -> [String] {
  let particle = Particle(x: 1, y: 2, z: 3, mass: Double(world.rank))
  if let particles = try world.gather(particle, to: 0) {  // at rank 0; nil at the others
    return particles.map { "\($0.mass)" }
  }
  return []
}

func serve(_ world: Communicator) throws -> Int {
  guard world.rank == 0 else {
    try world.send("rank \(world.rank)", to: 0, tag: world.rank)
    return 0
  }
  var sum = 0
  for _ in 1..<world.size {
    let (_, status) = try world.receiveWithStatus(String.self, from: .any, tag: .any)
    sum += status.source * status.tag
  }
  return sum
}

func askWrongly(_ world: Communicator) throws -> String {
  if world.rank == 0 {
    try world.send("three", to: 1)
    return ""
  }
  do {
    return "\(try world.receive(Int.self, from: 0))"
  } catch let error as MessageError where error.code == .typeMismatch {
    return "\(error.code)"
  }
}

func halves(_ world: Communicator) throws -> Int {
  guard let half = try world.split(color: world.rank % 2) else { return 0 }
  return try half.allReduce(world.rank, .sum)
}

func comeFromMPI() async throws {
  let shares = try await withRanks(4, with: 100_000, shareOfPi)
  let pi = try shares[0].get()
  expect(abs(pi - .pi) < 1e-6, true)

  let lengths = try await withRanks(3, passOn)
  expect(try lengths.map { try $0.get() }, [2, 0, 1])
  let gathered = try await withRanks(2, collect)
  expect(try gathered[0].get(), ["0.0", "1.0"])
  let served = try await withRanks(3, serve)
  expect(try served[0].get(), 5)
  let answers = try await withRanks(2, askWrongly)
  expect(try answers[1].get(), "typeMismatch")
  let sums = try await withRanks(4, halves)
  expect(try sums.map { try $0.get() }, [2, 4, 2, 4])

  // The module's page.
  let table = [1, 2, 3, 4]
  let results = try await withRanks(4, with: table) { table, world in
    try world.allReduce(table[world.rank], .sum)
  }
  expect(try results[3].get(), 10)
}

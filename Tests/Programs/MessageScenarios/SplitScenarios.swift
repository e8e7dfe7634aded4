import Apus

enum SplitScenarios {
  static func play(_ world: Communicator) throws {
    let half = try world.split(color: world.rank % 2, key: -world.rank)!
    let members = (0..<world.size).filter { $0 % 2 == world.rank % 2 }.reversed()
    demand(half.size == members.count && Array(members)[half.rank] == world.rank)
    demand(try half.allGather(world.rank) == Array(members))

    // Messages of one communicator are none of another's.
    let copy = try world.duplicate()
    let next = (world.rank + 1) % world.size
    let previous = (world.rank + world.size - 1) % world.size
    try world.send("world", to: next, tag: 1)
    try copy.send("copy", to: next, tag: 1)
    demand(try copy.receive(String.self, from: previous) == "copy")
    demand(try world.receive(String.self, from: previous) == "world")
    let sum = try half.allReduce(1, .sum)
    demand(sum == half.size)

    let some = try world.split(color: world.rank == 0 ? nil : 1)
    demand((some == nil) == (world.rank == 0))
    if let some { demand(try some.allReduce(world.rank, .sum) == (1..<world.size).reduce(0, +)) }

    // Communicators of communicators.
    let quarter = try half.split(color: half.rank / 2)!
    demand(try quarter.allGather(half.rank) == Array(0..<half.size).filter { $0 / 2 == half.rank / 2 })
    if quarter.size == 2 {
      demand(try quarter.sendReceive(half.rank, to: 1 - quarter.rank, Int.self, from: .any) == half.rank ^ 1)
    }
    try world.barrier()
  }
}

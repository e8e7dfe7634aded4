// A string that grows as it goes round all ranks:
//
//     swift build -c release
//     .build/release/apus launch -n 4 .build/release/Ring
//
// The same program runs alone, and under mpirun.
import Apus

@main
struct Ring {
  static func main() throws {
    let world = try Communicator.world()
    let next = (world.rank + 1) % world.size
    let previous = (world.rank + world.size - 1) % world.size

    if world.rank == 0 {
      try world.send("P0", to: next)
      let (message, status) = try world.receiveWithStatus(String.self, from: previous)
      print("Processor 0 received message \"\(message)\" from rank \(status.source)")
    } else {
      let message = try world.receive(String.self, from: previous)
      try world.send(message + "P\(world.rank)", to: next)
    }
  }
}

// One measurement a run between ranks, so that `Scripts/bench` can alternate it with its peers:
//
//     apus launch -n 2 MessageBenchmark value      →  {"seconds": 0.003, "count": 16384, "bytes": 131072}
//
// The same work, taken in the same way, as `peers/mpi/*.c` and `peers/python/messages.py`.
import Apus

@main
struct MessageBenchmark {
  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst()
    let bytes = arguments.dropFirst().first.flatMap { Int($0) } ?? 8
    let world = try Communicator.world()
    switch arguments.first {
    case "value": try passValue(world)
    case "buffer": try passBuffer(world, bytes: bytes)
    case "struct": try passStruct(world)
    case "array": try passArray(world, bytes: bytes)
    case "barrier": try barrier(world)
    case "allReduce": try bytes == 8 ? reduceValue(world) : reduceArray(world, bytes: bytes)
    case "allToAll": try allToAll(world, bytes: bytes)
    case "blocked": try blockedReceive(world, seconds: bytes)
    case "join": break
    default:
      print(
        """
        usage: apus launch -n RANKS MessageBenchmark MEASUREMENT [BYTES]
          value struct buffer array      one way between two ranks
          barrier allReduce allToAll     among all
          blocked SECONDS                the processor time of a receive that has to wait
          join                           nothing
        """)
    }
  }
}

// Sorting what is spread over all ranks: samples say where to cut, each rank gets one range of values, and sorts it.
// (Sample sort; Frazer and McKellar 1970.)
//
//     .build/release/apus launch -n 4 .build/release/DistributedSort 1000000
import Apus

@main
struct DistributedSort {
  static func main() throws {
    let world = try Communicator.world()
    let total = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 1_000_000
    let share = total / world.size + (world.rank < total % world.size ? 1 : 0)
    var state = UInt64(world.rank + 1)
    var values = (0..<share).map { _ -> UInt64 in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 16
    }
    let sumBefore = try world.allReduce(values.reduce(0, &+), .sum)

    values.sort()
    let mine = try sorted(values, world)

    // Each rank's greatest value is not beyond the next rank's least.
    let ends = try world.allGather([mine.first ?? .max, mine.last ?? 0])
    let filled = ends.filter { $0[0] != .max }
    let isSorted =
      zip(mine, mine.dropFirst()).allSatisfy { $0 <= $1 }
      && zip(filled, filled.dropFirst()).allSatisfy { $0[1] <= $1[0] }
    let allSorted = try world.allReduce(isSorted, .and)
    let count = try world.allReduce(mine.count, .sum)
    let sumAfter = try world.allReduce(mine.reduce(0, &+), .sum)
    if world.rank == 0 {
      print(
        "\(count) values on \(world.size) ranks: \(allSorted && count == total && sumBefore == sumAfter ? "sorted" : "wrong")"
      )
    }
  }

  /// This rank's range of all values, in order.
  static func sorted(_ values: [UInt64], _ world: Communicator) throws -> [UInt64] {
    // Enough samples that the shares come out within a few percent.
    let step = max(1, values.count / (32 * world.size))
    let samples = try world.allGather(
      concatenating: stride(from: 0, to: values.count, by: step).map { values[$0] }
    ).sorted()
    let cuts = (1..<world.size).map { samples.isEmpty ? 0 : samples[$0 * samples.count / world.size] }

    var counts: [Int] = []
    var start = 0
    for cut in cuts {
      let end = values[start...].firstIndex { $0 >= cut } ?? values.count
      counts.append(end - start)
      start = end
    }
    counts.append(values.count - start)
    return try world.allToAll(dividing: values, counts: counts).sorted()
  }
}

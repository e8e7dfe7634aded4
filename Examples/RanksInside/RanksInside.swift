// Ranks inside of a program: processes that talk, each with a result of its own, whatever happens to the others.
//
//     swift run -c release RanksInside
//
// The program starts them itself: no launcher, and no MPI.
import Apus

@main
struct RanksInside {
  static func main() throws {
    // The integral of 4 / (1 + x²) from 0 to 1, every rank its share of the steps.
    let shares = try withRanks(4, with: 1_000_000) { steps, world in
      var sum = 0.0
      for step in stride(from: world.rank, to: steps, by: world.size) {
        let x = (Double(step) + 0.5) / Double(steps)
        sum += 4 / (1 + x * x)
      }
      return try world.allReduce(sum / Double(steps), .sum)
    }
    print("pi is about \(try shares[0].get())")

    // One that crashes costs its own result; who waits for it is told.
    let outcomes = try withRanks(3) { world in
      if world.rank == 1 { fatalError("out of luck") }
      if world.rank == 0 { return try world.receive(Int.self, from: 1) }
      return 42
    }
    for (rank, outcome) in outcomes.enumerated() {
      switch outcome {
      case .success(let value): print("rank \(rank): \(value)")
      case .failure(let error): print("rank \(rank): \(error.code) of rank \(error.rank ?? -1)")
      }
    }
  }
}

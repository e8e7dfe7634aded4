// One measurement a run, so that `Scripts/bench` can alternate it with its peers:
//
//     PoolBenchmark each 2 1000000      →  {"seconds": 0.21, "count": 1000000}
//
// Each measurement warms up by itself, and prints the median of a few repetitions.

@main
struct PoolBenchmark {
  static func main() async throws {
    let arguments = CommandLine.arguments.dropFirst()
    let numbers = arguments.dropFirst().map { Int($0) ?? 0 }
    func number(_ index: Int, default value: Int) -> Int { index < numbers.count ? numbers[index] : value }
    let workers = number(0, default: 2)

    let figure: Figure
    switch arguments.first {
    case "each": figure = try each(workers: workers, count: number(1, default: 1_000_000))
    case "heard": figure = try heard(workers: workers, count: number(1, default: 1_000_000))
    case "replaced":
      figure = try replaced(workers: workers, count: number(1, default: 10_000), every: number(2, default: 0))
    case "automatic": figure = try automatic(workers: workers, count: number(1, default: 10_000_000))
    case "call": figure = try call(workers: workers, count: number(1, default: 5_000))
    case "await": figure = try await awaitedCall(workers: workers, count: number(1, default: 2_000))
    case "doubles": figure = try doubles(workers: workers, mebibytes: number(1, default: 64))
    case "startup": figure = try startup(workers: workers)
    case "memory": figure = try memory(workers: workers)
    case "idle": figure = try idle(workers: workers, seconds: number(1, default: 10))
    case "fibonacci":
      figure = try fibonacci(
        workers: workers, from: number(1, default: 38), downTo: number(2, default: 33),
        repetitions: number(3, default: 3))
    case "sequential": figure = sequentialLoop(count: number(1, default: 10_000_000))
    case "threads": figure = threadedLoop(threads: workers, count: number(1, default: 10_000_000))
    case "memcpy": figure = memoryCopy(mebibytes: number(1, default: 64))
    default:
      print(
        """
        usage: PoolBenchmark MEASUREMENT [WORKERS [COUNT]]
          each heard automatic call await doubles startup memory idle    on a pool
          replaced WORKERS COUNT [AFTER]                           on a pool
          fibonacci WORKERS FROM DOWN-TO [REPETITIONS]             on a pool, and sequentially
          sequential threads memcpy                                without one
        """)
      return
    }
    print(figure)
  }
}

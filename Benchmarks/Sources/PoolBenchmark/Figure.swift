import Glibc

/// What one measurement found, printed as one line of JSON.
struct Figure: CustomStringConvertible {
  var seconds: Double
  /// How many tasks, calls or bytes those seconds were for.
  var count: Int
  /// Further numbers, by name: what a unit of the harness asks for.
  var more: [(name: String, value: Double)] = []

  var description: String {
    let rest = more.map { ", \"\($0.name)\": \($0.value)" }.joined()
    return "{\"seconds\": \(seconds), \"count\": \(count)\(rest)}"
  }
}

func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

func seconds<Result>(_ work: () throws -> Result) rethrows -> Double {
  let start = now()
  let result = try work()
  let end = now()
  // Kept alive to here: freeing a big result is not part of the time.
  withExtendedLifetime(result) {}
  return end - start
}

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// The median time of a few repetitions, after one that warms up.
func medianSeconds<Result>(repetitions: Int = 7, _ work: () throws -> Result) rethrows -> Double {
  _ = try work()
  var times: [Double] = []
  for _ in 0..<repetitions { times.append(try seconds(work)) }
  return median(times)
}

/// Ends a benchmark whose own premise fails: a wrong result is never a figure.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
  guard !condition else { return }
  let text = Array("PoolBenchmark: \(message())\n".utf8)
  _ = write(STDERR_FILENO, text, text.count)
  exit(1)
}

import Apus
import Glibc

/// Batches of 2 ms and more, for 0.6 s, after 0.1 s to warm up: each rank does as many as rank 0 finds right. Rank 0
/// prints the median batch.
///
/// - Parameters:
///   - count: How many messages or operations a round is.
///   - bytes: How many bytes each of them has.
func measure(
  _ world: Communicator, count: Int = 1, bytes: Int, _ rounds: (Int) throws -> Void
) throws {
  func batch(_ length: Int) throws -> Double {
    try world.barrier()
    let start = now(CLOCK_MONOTONIC)
    try rounds(length)
    return now(CLOCK_MONOTONIC) - start
  }

  var (length, batches) = (1, 0)
  let warm = now(CLOCK_MONOTONIC) + 0.1
  while batches == 0 {
    // The best of three: one that waited for a processor says nothing.
    let time = try min(batch(length), batch(length), batch(length))
    if time < 2e-3 {
      length *= 2
    } else if now(CLOCK_MONOTONIC) < warm {
      length = 1
    } else {
      batches = min(max(Int(0.6 / time), 11), 301)
    }
    let plan = try world.broadcast([length, batches])
    (length, batches) = (plan[0], plan[1])
  }
  let times = try (0..<batches).map { _ in try batch(length) }.sorted()
  if world.rank == 0 {
    let done = length * count
    print("{\"seconds\": \(times[batches / 2]), \"count\": \(done), \"bytes\": \(done * bytes)}")
  }
}

func now(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Ends a benchmark whose own premise fails: a wrong result is never a figure.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
  guard !condition else { return }
  let text = Array("MessageBenchmark: \(message())\n".utf8)
  _ = write(STDERR_FILENO, text, text.count)
  exit(1)
}

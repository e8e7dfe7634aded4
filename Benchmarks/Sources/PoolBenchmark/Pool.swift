import Apus
import Glibc
import Synchronization

// The functions without `async` use the blocking forms, `awaitedCall` the other.

/// No-op tasks, one a message.
func each(workers: Int, count: Int) throws -> Figure {
  try mapped(workers: workers, count: count) { try $0.map($1, chunking: .fixed(1), noop) }
}

/// The same while somebody listens to every event.
func heard(workers: Int, count: Int) throws -> Figure {
  let finished = Atomic<Int>(0)
  let listener = EventStream.shared.subscribe { event in
    if event.kind == .taskFinished { finished.add(event.count ?? 0, ordering: .relaxed) }
  }
  return try withExtendedLifetime(listener) {
    let figure = try each(workers: workers, count: count)
    require(finished.load(ordering: .relaxed) % count == 0, "the listener has not heard of all tasks")
    require(finished.load(ordering: .relaxed) > 0, "the listener has heard of no task")
    return figure
  }
}

/// Tasks of 5 ms of a processor's time, on workers that are replaced after so many; 0: never.
func replaced(workers: Int, count: Int, every limit: Int) throws -> Figure {
  var configuration = ProcessPool.Configuration()
  if limit > 0 { configuration.tasksPerWorker = limit }
  let pool = try ProcessPool(workers: workers, configuration: configuration)
  defer { pool.shutdown() }
  let time = try seconds {
    require(try pool.map(0..<count, fiveMilliseconds).count == count, "results are missing")
  }
  return Figure(seconds: time, count: count)
}

/// No-op tasks in chunks that the pool chooses.
func automatic(workers: Int, count: Int) throws -> Figure {
  try mapped(workers: workers, count: count) { try $0.map($1, noop) }
}

private func mapped(
  workers: Int, count: Int, _ map: (ProcessPool, [Int]) throws -> [Int]
) throws -> Figure {
  let pool = try ProcessPool(workers: workers)
  defer { pool.shutdown() }
  let inputs = Array(0..<count)
  let time = try medianSeconds(repetitions: 5) { try map(pool, inputs) }
  let results = try map(pool, inputs)
  require(results.count == count && results.last == count, "wrong results of a map")
  return Figure(seconds: time, count: count)
}

/// One blocking call and back, again and again.
func call(workers: Int, count: Int) throws -> Figure {
  let pool = try ProcessPool(workers: workers)
  defer { pool.shutdown() }
  let time = try medianSeconds {
    for index in 0..<count {
      let result = try pool.run(index, noop)
      require(result == index + 1, "wrong result of a call")
    }
  }
  return Figure(seconds: time, count: count)
}

/// One awaited call and back, again and again, away from the main actor.
@concurrent
func awaitedCall(workers: Int, count: Int) async throws -> Figure {
  try await withProcessPool(workers: workers) { pool in
    var times: [Double] = []
    for _ in 0..<8 {
      let start = now()
      for index in 0..<count {
        let result = try await pool.run(index, noop)
        require(result == index + 1, "wrong result of an awaited call")
      }
      times.append(now() - start)
    }
    return Figure(seconds: median(Array(times.dropFirst())), count: count)
  }
}

/// An array of doubles to a worker and back; `count` is bytes, both ways.
func doubles(workers: Int, mebibytes: Int) throws -> Figure {
  let pool = try ProcessPool(workers: workers)
  defer { pool.shutdown() }
  let array = (0..<mebibytes << 17).map(Double.init)
  let time = try medianSeconds { try pool.run(array, echo) }
  let result = try pool.run(array, echo)
  require(result == array, "the array came back changed")
  return Figure(seconds: time, count: 2 * mebibytes << 20)
}

/// From just before the pool is made until every worker has given a result.
func startup(workers: Int) throws -> Figure {
  let start = now()
  let pool = try ProcessPool(workers: workers)
  try useEveryWorker(of: pool, workers)
  let end = now()
  pool.shutdown()
  return Figure(seconds: end - start, count: 1)
}

/// The tasks take a moment without using a processor, so that one worker does not do them all while the next one
/// starts, nor keep it from starting. The peers' do the same.
private func useEveryWorker(of pool: ProcessPool, _ workers: Int) throws {
  var seen: Set<Int> = []
  while seen.count < workers {
    seen.formUnion(try pool.map(Array(0..<workers), chunking: .fixed(1), processIdentifierAfterAMoment))
  }
}

/// The proportional set size of the largest idle worker; `count` is bytes.
func memory(workers: Int) throws -> Figure {
  let pool = try ProcessPool(workers: workers)
  defer { pool.shutdown() }
  try useEveryWorker(of: pool, workers)
  usleep(200_000)
  return Figure(seconds: 0, count: pool.processIdentifiers.map(proportionalSetSize).max() ?? 0)
}

/// The CPU time of the parent and its workers while nothing is asked of them.
func idle(workers: Int, seconds: Int) throws -> Figure {
  let pool = try ProcessPool(workers: workers)
  defer { pool.shutdown() }
  try useEveryWorker(of: pool, workers)
  usleep(200_000)
  let processes = [getpid()] + pool.processIdentifiers
  require(processes.count == workers + 1, "\(processes.count - 1) of \(workers) workers are there")
  let before = processes.map(cpuSeconds).reduce(0, +)
  let start = now()
  sleep(UInt32(seconds))
  let used = processes.map(cpuSeconds).reduce(0, +) - before
  return Figure(seconds: now() - start, count: 1, more: [("cpu", used)])
}

/// The same calls on a pool, its start and its end included, and one after the other here.
func fibonacci(workers: Int, from high: Int, downTo low: Int, repetitions: Int) throws -> Figure {
  let inputs = Array((low...high).reversed())
  _ = fib(32)  // wakes a core
  var sequential: [Double] = []
  var parallel: [Double] = []
  for _ in 0..<repetitions {
    var expected: [Int] = []
    sequential.append(seconds { expected = inputs.map(fib) })
    var results: [Int] = []
    parallel.append(
      try seconds {
        let pool = try ProcessPool(workers: workers)
        defer { pool.shutdown() }
        results = try pool.map(inputs, fib)
      })
    require(results == expected, "\(results) is not \(expected)")
  }
  return Figure(
    seconds: median(parallel), count: inputs.count, more: [("sequential", median(sequential))])
}

import Apus

func collatzSteps(_ number: Int) -> Int {
  var (n, steps) = (number, 0)
  while n != 1 {
    n = n % 2 == 0 ? n / 2 : 3 * n + 1
    steps += 1
  }
  return steps
}

/// Counts for a long time, and looks now and then whether anybody still wants the result.
func countPatiently(_ limit: Int) throws -> Int {
  var count = 0
  for step in 0..<limit {
    if step % 1024 == 0 { try PoolTask.checkCancellation() }
    count &+= step & 1
  }
  return count
}

func countForEver(_ start: Int) -> Int {
  var count = start
  while count >= 0 { count = (count &+ 1) & Int.max }
  return count
}

func chooseChunksAndLimits() async throws {
  try await withProcessPool(workers: 2) { pool in
    let steps = try await pool.map(1...10_000, collatzSteps)  // chunks of about 100 µs
    let sums = try await pool.map(1...100, chunking: .fixed(10), collatzSteps)
    expect(sums, Array(steps.prefix(100)))

    var longest = 0
    for try await steps in pool.results(of: 1..., order: .completion, window: 1000, collatzSteps) {
      longest = max(longest, steps)
      if longest > 100 { break }
    }
    expect(longest > 100, true)

    do {
      _ = try await pool.run(0, timeLimit: .milliseconds(50), countForEver)
    } catch let error as TaskError where error.code == .timeLimitExceeded {
      print(error)  // task 0: the task exceeded its time limit of 0.05 seconds, and its worker was killed
    }

    do {
      _ = try await pool.run(Int.max, timeLimit: .milliseconds(50), countPatiently)
      expect(true, false)
    } catch let error as TaskError {
      expect(error.code, .timeLimitExceeded)
      expect(error.status == nil, true)  // its worker lives
    }
  }

  var configuration = ProcessPool.Configuration()
  configuration.timeLimit = .seconds(10)  // of each task, from its beginning
  configuration.gracePeriod = .seconds(1)  // for a task that looks at `PoolTask.isCancelled`
  configuration.retries = 1
  configuration.maximumRestarts = 100
  try await withProcessPool(configuration: configuration) { pool in
    expect(pool.workerCount, Processors.available)
    expect(try await pool.run(27, collatzSteps), 111)
  }
}

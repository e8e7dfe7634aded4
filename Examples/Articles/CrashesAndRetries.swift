import Apus
import Glibc

/// Reads a number out of a file from a stranger, and trusts it.
func inverse(_ text: String) -> Int { 1000 / Int(text)! }

/// Makes a marker, and dies of it the first time.
func unlucky(_ marker: String) -> Bool {
  if access(marker, F_OK) != 0 {
    close(creat(marker, 0o600))
    abort()
  }
  return true
}

func surviveCrashes() async throws {
  try await withProcessPool(workers: 2) { pool in
    let outcomes = await pool.outcomes(of: ["5", "0", "10", "ten"], inverse)
    for outcome in outcomes {
      switch outcome {
      case .success(let value): print(value)
      case .failure(let error): print(error.code, error.status.map { "\($0)" } ?? "")
      }
    }
    expect(try outcomes[0].get(), 200)
    expect(try outcomes[2].get(), 100)
    let codes = outcomes.map { outcome in
      if case .failure(let error) = outcome { return "\(error.code)" }
      return "success"
    }
    expect(codes, ["success", "workerDied", "success", "workerDied"])

    let marker = "/tmp/apus-articles-\(getpid())"
    defer { unlink(marker) }
    let isDone = try await pool.run(marker, retries: 2, unlucky)
    expect(isDone, true)

    do {
      _ = try await pool.run("0", retries: 2, inverse)
    } catch let error as TaskError where error.code == .workerDied {
      print(error.standardError)  // the end of what the last try wrote: the backtrace
      expect(error.standardError.isEmpty, false)
    }
  }

  let events = EventStream()
  var configuration = ProcessPool.Configuration()
  configuration.events = events
  let stream = events.events()
  let watcher = Task {
    for await event in stream where event.kind == .taskFailed {
      print("task \(event.task ?? 0) ended its worker: \(event.status.map { "\($0)" } ?? "")")
    }
  }
  try await withProcessPool(workers: 1, configuration: configuration) { pool in
    _ = await pool.outcomes(of: ["1", "0"], inverse)
  }
  events.finish()
  await watcher.value
}

import Apus
import Glibc

/// Prints the milliseconds of processor time that this process spends in a second in which there is only
/// something to wait for.
enum ProcessorTime {
  static func spent() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }

  static func doze(_ n: Int) -> Int {
    sleep(1)
    return n
  }

  static func play(_ what: String) async throws {
    let pool = try ProcessPool(workers: 2)
    _ = try await pool.map(0..<10, double)
    usleep(20_000)
    let copy = what == "fork" ? try await loseAWorker(pool) : nil
    let before = spent()
    switch what {
    case "map": _ = try await pool.map(0..<2, doze)
    case "window":
      for try await _ in pool.results(of: sequence(first: 0) { $0 + 1 }, window: 1, doze) { break }
    case "inputs":
      let never = AsyncStream<Int> { continuation in
        Task {
          try await Task.sleep(for: .seconds(1))
          continuation.finish()
        }
      }
      for try await _ in pool.results(of: never, double) {}
    case "first": _ = try await pool.first(in: 0..<100_000) { doze($0) >= 0 }
    case "handle": _ = try await pool.submit(1, doze).value
    case "blocking": try block(pool)
    default: sleep(1)
    }
    print(spent() - before)
    if let copy { kill(copy, SIGKILL) }
    // Without an orderly end, which would count the same time again.
    exit(0)
  }

  /// A fork holds copies of the descriptors that tell of a worker's end, and then a worker ends.
  private static func loseAWorker(_ pool: ProcessPool) async throws -> pid_t {
    // Swift hides `fork` for good reasons; the copy calls nothing but the kernel.
    typealias Fork = @convention(c) () -> pid_t
    let fork = unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)
    let copy = fork()
    if copy == 0 { while true { pause() } }
    _ = await pool.outcomes(of: [1], doubleOrDie)
    _ = try await pool.map(0..<10, double)
    return copy
  }

  private static func block(_ pool: ProcessPool) throws {
    let results = pool.results(of: sequence(first: 0) { $0 + 1 }, window: 2, doze)
    _ = try results.next()
  }
}

import Apus
import Glibc

/// Too little of what the system gives.
enum Limits {
  /// Sets a limit of the process for as long as `body` runs.
  static func with(_ resource: __rlimit_resource, _ value: Int, _ body: () async throws -> Void)
    async rethrows
  {
    var before = rlimit()
    getrlimit(__rlimit_resource_t(resource.rawValue), &before)
    var changed = before
    changed.rlim_cur = rlim_t(value)
    setrlimit(__rlimit_resource_t(resource.rawValue), &changed)
    try await body()
    setrlimit(__rlimit_resource_t(resource.rawValue), &before)
  }

  static func report(_ body: () async throws -> Void) async {
    do { try await body() } catch let error as TaskError { print(error.code, error) } catch { print(error) }
  }

  static func again() async throws {
    try await withProcessPool(workers: 2) { print("again", try await $0.map([1, 2], double)) }
  }

  /// With each number of descriptors that is too low.
  static func noDescriptors() async throws {
    let used = (0..<1024).filter { fcntl($0, F_GETFD) >= 0 }.max()! + 1
    for more in 0..<12 {
      await with(RLIMIT_NOFILE, Int(used) + more) { await report { _ = try ProcessPool(workers: 2) } }
    }
    try await again()
  }

  /// Enough for a worker or two, not for eight.
  static func fewDescriptors() async throws {
    let used = (0..<1024).filter { fcntl($0, F_GETFD) >= 0 }.max()! + 1
    try await with(RLIMIT_NOFILE, Int(used) + 32) {
      try await withProcessPool(workers: 8) { pool in
        print("sum", try await pool.map(0..<100) { $0 }.reduce(0, +))
      }
    }
  }

  static func noSharedMemory() async throws {
    await with(RLIMIT_FSIZE, 1000) { await report { _ = try ProcessPool(workers: 2) } }
    try await again()
  }
}

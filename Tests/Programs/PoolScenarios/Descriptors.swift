import ApusProcesses
import ApusSystem
import Apus
import Glibc

/// Code that closes descriptors which are not its own, as daemons and careless libraries do.
enum Descriptors {
  static func close(from first: Int32) { for number in first..<4096 { _ = Glibc.close(number) } }

  /// All but those of Dispatch, without which an `await` of this program may never return, whatever Apus does.
  private static func closeOthers() {
    for number in Int32(3)..<4096 where !isOfDispatch(number) { _ = Glibc.close(number) }
  }

  /// Ours of these kinds have high numbers.
  private static func isOfDispatch(_ number: Int32) -> Bool {
    number < 512
      && ["anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[timerfd]"].contains(kind(of: number))
  }

  private static func kind(of number: Int32) -> String {
    var link = [CChar](repeating: 0, count: 64)
    guard readlink("/proc/self/fd/\(number)", &link, link.count - 1) > 0 else { return "" }
    return link.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  /// One body of several does it in its worker, when nobody but that could wake this program.
  static func body(_ first: Int32) async throws {
    for workers in 1...2 {
      try await withProcessPool(workers: workers) { pool in
        let outcomes = await pool.outcomes(of: 0..<12, with: first, chunking: .fixed(3)) {
          (first, n: Int) -> String in
          if n == 7 { close(from: first) }
          if n % 4 == 3 { usleep(50_000) }
          return "\(n)"
        }
        for (index, outcome) in outcomes.enumerated() {
          switch outcome {
          case .success(let text): if text != "\(index)" { print("wrong", index, text) }
          // Nobody else's task.
          case .failure(let error): if index != 7 || error.code != .workerDied { print(index, error) }
          }
        }
        print(try await pool.map(0..<100, double).reduce(0, +))
      }
    }
  }

  /// This program does it, between two calls or during one.
  static func parent(_ when: String) async throws {
    let pool = try ProcessPool(workers: 2)
    guard try await pool.map([1, 2], double) == [2, 4] else { return print("wrong") }
    if when == "before" || when == "before async" { closeOthers() }
    let files = when == "pidfds" ? replacePidfds() : []
    defer { for file in files where fcntl(file, F_GETFD) < 0 { print("closed a file of the program's") } }
    let closed = NativeSemaphore()
    if when.hasPrefix("during") { closeSoon(closed) } else { closed.signal() }
    if when == "pidfds" {
      await dying(pool)
    } else if when.hasSuffix("async") {
      await suspending(pool)
    } else {
      blocking(pool)
    }
    // Else those of the next pool may be closed as well.
    closed.wait()
    try await Limits.again()
    await pool.shutdown()
    try await Limits.again()
  }

  /// Only those that tell of the workers' ends; and opens other files under their numbers.
  private static func replacePidfds() -> [Int32] {
    let all = (Int32(3)..<4096).filter { kind(of: $0) == "anon_inode:[pidfd]" }
    for number in all { _ = Glibc.close(number) }
    return all.map { _ in open("/dev/null", O_RDONLY) }
  }

  private static func dying(_ pool: ProcessPool) async {
    do { print(try await pool.map(0..<4) { n -> Int in _exit(Int32(n)) }) } catch {
      print((error as! TaskError).code, error)
    }
  }

  private static func closeSoon(_ closed: NativeSemaphore) {
    try? NativeThread.start(name: "careless") {
      usleep(300_000)
      closeOthers()
      closed.signal()
    }
  }

  private static func suspending(_ pool: ProcessPool) async {
    do { print(try await pool.map(0..<4, slowly)) } catch { print((error as! TaskError).code, error) }
  }

  private static func blocking(_ pool: ProcessPool) {
    do { print(try pool.map(0..<4, slowly)) } catch { print((error as! TaskError).code, error) }
  }

  static func slowly(_ n: Int) -> Int {
    usleep(300_000)
    return n
  }
}

import ApusProcesses
import ApusSystem
import Apus
import Glibc

/// Odd things that a program does or suffers.
enum Surroundings {
  static func start() async throws { await Limits.report { _ = try ProcessPool(workers: 1) } }

  /// A pool that loses a worker and has it replaced.
  static func play() async throws {
    try await withProcessPool(workers: 1) { pool in
      let values = try await pool.map([1, 2], double)
      let outcomes = await pool.outcomes(of: [1, 2], doubleOrDie)
      print(values, "[\(outcomes.map { (try? $0.get()).map { "\($0)" } ?? "nil" }.joined(separator: ", "))]")
    }
  }

  static func deleted() async throws {
    unlink(CommandLine.arguments[0])
    try await play()
  }

  /// As a build does that runs meanwhile.
  static func replaced() async throws {
    let path = CommandLine.arguments[0]
    unlink(path)
    guard let file = fopen(path, "w") else { exit(3) }
    fputs("#!/bin/sh\nexit 1\n", file)
    fclose(file)
    chmod(path, 0o700)
    try await play()
  }

  static func clearedEnvironment() async throws {
    clearenv()
    try await play()
  }

  static func ignoredChildSignals() async throws {
    signal(SIGCHLD, SIG_IGN)
    try await play()
    try await withProcessPool(workers: 1) { pool in
      do { _ = try await pool.run(1, doubleOrDie) } catch let error as TaskError { print(error.status!) }
    }
  }

  /// Another part of the program waits for any child, all the time.
  static func reapingEverything() async throws {
    let thread = UnsafeMutablePointer<pthread_t>.allocate(capacity: 1)
    pthread_create(
      thread, nil,
      { _ in
        while true { if waitpid(-1, nil, 0) < 0 { usleep(1000) } }
      }, nil)
    try await play()
  }

  /// The program is stopped from before a task ends until long after the task's time would have been over.
  static func stopped() async throws {
    let pool = try ProcessPool(workers: 1)
    _ = try await pool.run(1, double)
    let handle = pool.submit(20, timeLimit: .seconds(2)) { (n: Int) in
      usleep(500_000)
      return 2 * n
    }
    usleep(50_000)  // the task is begun
    let helper = try Spawner.spawn(
      SpawnRequest(
        path: "/bin/sh",
        arguments: ["sh", "-c", "kill -STOP \(getpid()); sleep 4; kill -CONT \(getpid())"]))
    await Limits.report { print(try await handle.value) }
    _ = helper.wait()
  }

  /// The program goes to another folder, and a worker is replaced.
  static func folder(_ path: String, how: String) async throws {
    let home = path + "/home"
    guard mkdir(home, 0o700) == 0, chdir(home) == 0 else { exit(3) }
    let place = number(".")
    /// Whether each of two workers is in the folder in which the pool was made.
    func areAtHome(_ pool: ProcessPool) async throws -> String {
      var seen: [Int32: Bool] = [:]
      while seen.count < 2 {
        let answers = try await pool.map(0..<8, chunking: .fixed(1)) { (_: Int) -> [UInt64] in
          usleep(2000)
          return [UInt64(getpid()), number(".")]
        }
        for answer in answers { seen[Int32(answer[0])] = answer[1] == place }
      }
      return seen.values.map { "\($0)" }.joined(separator: " ")
    }
    try await withProcessPool(workers: 2) { pool in
      let before = try await areAtHome(pool)
      guard chdir("/") == 0 else { exit(3) }
      if how == "renamed" { rename(home, path + "/elsewhere") }
      if how == "removed" { rmdir(home) }
      _ = await pool.outcomes(of: [1], doubleOrDie)
      print("before \(before), after \(try await areAtHome(pool))")
    }
    rmdir(how == "renamed" ? path + "/elsewhere" : home)
  }

  /// The number of a folder, whatever its name.
  private static func number(_ path: String) -> UInt64 {
    var found = stat()
    return stat(path, &found) == 0 ? UInt64(found.st_ino) : 0
  }

  static func childOfAWorker() async throws {
    try await withProcessPool(workers: 1) { pool in
      print(try await pool.run(0) { (_: Int) in getenv("APUS_WORKER").map { String(cString: $0) } ?? "nil" })
    }
  }
}

import Apus
import Glibc
import Interposed

/// What tasks print, and what is there for them to read.
enum Output {
  static func speak(_ n: Int) {
    print("T\(n) a")
    print("T\(n)", terminator: "")
    print(" b")
    // No newline at the end, and longer than the kernel keeps together in a pipe by itself… but for one.
    print("T\(n) \(String(repeating: "c", count: 3000))")
  }

  static func results(kind: String) async throws {
    try await withProcessPool(workers: 2) { pool in
      switch kind {
      case "sync":
        let results = pool.results(of: (0..<200).map { "\($0)" }, order: .completion) {
          (n: String) -> String in
          speak(Int(n)!)
          return n
        }
        for try await n in results { print("R\(n)") }
      case "async":
        let results = pool.results(of: 0..<200, order: .completion) { (n: Int) async -> Int in
          speak(n)
          return n
        }
        for try await n in results { print("R\(n)") }
      default:
        let results = pool.results(of: 0..<200, order: .completion) { (n: Int) -> Int in
          speak(n)
          return n
        }
        for try await n in results { print("R\(n)") }
      }
    }
  }

  static func errors() async throws {
    try await withProcessPool(workers: 2) { pool in
      _ = try await pool.map(0..<20) { (n: Int) -> Int in
        printError("E\(n)")
        return n
      }
    }
  }

  static func input() async throws {
    try await withProcessPool(workers: 1) { pool in
      for _ in 0..<2 {
        print("worker", try await pool.run(0) { (_: Int) in readLine() ?? "nil" })
        print("program", readLine() ?? "nil")
      }
    }
  }

  /// Makes standard output a pipe. Returns its other end.
  static func redirectOutput() -> Int32 {
    let pipe = UnsafeMutablePointer<Int32>.allocate(capacity: 2)
    guard Glibc.pipe(pipe) == 0 else { exit(3) }
    dup2(pipe[1], 1)
    return pipe[0]
  }

  /// Whoever could read what the tasks print does not.
  static func unread() async throws {
    _ = redirectOutput()
    try await withProcessPool(workers: 2) { pool in
      let outcomes = await pool.outcomes(of: 0..<4, chunking: .fixed(1), timeLimit: .milliseconds(300)) {
        (n: Int) -> Int in
        while n == 1 { speak(n) }
        return n
      }
      for outcome in outcomes {
        switch outcome {
        case .success(let n): printError("\(n)")
        case .failure(let error): printError("\(error.code)")
        }
      }
    }
    printError("ended")
    _exit(0)  // `exit` would flush, which blocks
  }

  /// Has more than fits into the pipe kept for whoever could read it.
  private static let speakLong: @Sendable (Int) -> Int = { n in
    for _ in 0..<100 { speak(n) }
    return n
  }

  /// How many threads there are for those who await what is behind output that nobody reads.
  static func unreadByMany() async throws {
    _ = redirectOutput()
    let most = try await withProcessPool(workers: 1) { pool in
      _ = try await pool.run(0, speakLong)
      return try await withThrowingTaskGroup(of: Int.self) { group in
        for n in 0..<200 {
          group.addTask {
            _ = try await pool.run(n, double)
            return settlingThreads()
          }
        }
        return try await group.reduce(0, max)
      }
    }
    // One that is about to end may still be there.
    printError(most <= 3 ? "few" : "\(most)")
    _exit(0)
  }

  private static func settlingThreads() -> Int {
    guard let folder = opendir("/proc/self/task") else { return -1 }
    defer { closedir(folder) }
    var count = 0
    while let entry = readdir(folder) {
      let thread = withUnsafeBytes(of: entry.pointee.d_name) { name in
        String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard let file = fopen("/proc/self/task/\(thread)/comm", "r") else { continue }
      defer { fclose(file) }
      var name = [CChar](repeating: 0, count: 32)
      if fgets(&name, 32, file) != nil, strncmp(name, "apus-settle", 11) == 0 { count += 1 }
    }
    return count
  }

  /// A pool in a fork prints, though the thread that wrote for its parent is not there.
  static func keptInAFork() throws {
    _ = redirectOutput()
    let pool = try ProcessPool(workers: 1)
    _ = try pool.run(0, speakLong)
    let child = Forks.fork()
    if child == 0 {
      dup2(2, 1)
      let values = try withProcessPool(workers: 1) { pool in
        try pool.map(0..<3) { (n: Int) -> Int in
          print("line \(n)")
          return n
        }
      }
      printError("\(values)")
      _exit(0)
    }
    waitpid(child, nil, 0)
    printError("ended")
    _exit(0)
  }

  /// The wall clock is set back while output waits for somebody to read it.
  static func clockSetBack() async throws {
    _ = redirectOutput()
    try await withProcessPool(workers: 1) { pool in
      _ = try await pool.run(0) { (_: Int) -> Int in
        for n in 0..<100 { speak(n) }
        return 0
      }
      interposed_clock_is_set_back()
    }
    printError("ended")
    _exit(0)
  }

  /// Another program, which nobody reads either, fills the pipe just before we write to it.
  static func filledPipe() async throws {
    _ = redirectOutput()
    try await withProcessPool(workers: 1) { pool in
      interposed_pipes_are_filled()
      let values = try await pool.map(0..<3, chunking: .fixed(1)) { (n: Int) -> Int in
        speak(n)
        return n
      }
      printError("\(values)")
    }
    printError("ended")
    _exit(0)
  }

  /// Nobody reads what the tasks print.
  static func closed() async throws {
    close(redirectOutput())
    try await withProcessPool(workers: 2) { pool in
      let values = try await pool.map(0..<100) { (n: Int) -> Int in
        speak(n)
        return n
      }
      printError("sum \(values.reduce(0, +))")
    }
  }
}

extension Output {
  /// Two workers say a line each.
  static func prefixed(named name: String?) async throws {
    var configuration = ProcessPool.Configuration()
    (configuration.output, configuration.name) = (.prefixed, name)
    try await withProcessPool(workers: 2, configuration: configuration) { pool in
      for word in ["line", "error"] {
        // As many as there are workers, and long enough that none of them gets two.
        try await pool.forEach([word, word], chunking: .fixed(1)) { word in
          if word == "line" { print(word) } else { printError(word) }
          usleep(300_000)
        }
      }
    }
  }

  static func discarded() async throws {
    var configuration = ProcessPool.Configuration()
    (configuration.output, configuration.backtraces) = (.discarded, .off)
    try await withProcessPool(workers: 1, configuration: configuration) { pool in
      do {
        try await pool.run(0) { _ in
          print("nothing")
          printError("last word")
          abort()
        }
      } catch let error as TaskError {
        print(error.standardError, terminator: "")
      }
    }
  }
}

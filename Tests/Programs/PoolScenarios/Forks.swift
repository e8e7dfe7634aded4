import Apus
import Glibc

/// Code that forks, in a body or beside a pool.
enum Forks {
  /// Swift does not show it.
  static func fork() -> Int32 {
    unsafeBitCast(dlsym(nil, "fork"), to: (@convention(c) () -> Int32).self)()
  }

  /// Both processes return from here, the child with another value: first, or when it may.
  static func twice<Value>(_ value: Value, _ other: Value, childFirst: Bool) -> Value {
    let child = fork()
    if child == 0 { return other }
    if childFirst { waitpid(child, nil, 0) }
    return value
  }

  static func body(_ kind: String) async throws {
    let childFirst = kind.hasSuffix("first")
    try await withProcessPool(workers: 2) { pool in
      switch kind.prefix(while: { $0 != " " }) {
      case "numbers":
        let values = try await pool.map(0..<300, with: childFirst, chunking: .fixed(50)) {
          (childFirst, n: Int) in n % 60 == 7 ? twice(n + 1, -n, childFirst: childFirst) : n + 1
        }
        for n in 0..<300 where values[n] != n + 1 { print("\(n) gave \(values[n])") }
      case "texts":
        let values = try await pool.map((0..<300).map { "\($0)" }, with: childFirst, chunking: .fixed(50)) {
          (childFirst, text: String) in
          text.hasSuffix("7") ? twice(text + "!", "", childFirst: childFirst) : text + "!"
        }
        for n in 0..<300 where values[n] != "\(n)!" { print("\(n) gave \(values[n])") }
      case "errors":
        let outcomes = await pool.outcomes(of: 0..<40, with: childFirst, chunking: .fixed(10)) {
          (childFirst, n: Int) throws -> Int in
          if n % 10 == 3, twice(true, false, childFirst: childFirst) { throw Odd(number: n) }
          return n
        }
        for (n, outcome) in outcomes.enumerated() {
          switch outcome {
          case .success(let value): if value != n || n % 10 == 3 { print("\(n) gave \(value)") }
          case .failure(let error):
            if (error.underlyingError as? Odd)?.number != n || n % 10 != 3 { print("\(n) gave \(error)") }
          }
        }
      case "large":
        // Longer than the ring: the child must not wait for room that nobody makes.
        let values = try await pool.map(0..<6, with: childFirst) { (childFirst, n: Int) in
          twice(
            [Int](repeating: n, count: 100_000), [Int](repeating: 7, count: 100_000), childFirst: childFirst)
        }
        for n in 0..<6 where values[n] != [Int](repeating: n, count: 100_000) { print("\(n) is wrong") }
      case "async":
        let values = try await pool.map(0..<20) { (n: Int) async -> Int in
          await Task.yield()
          return twice(n, -n, childFirst: false)
        }
        for n in 0..<20 where values[n] != n { print("\(n) gave \(values[n])") }
      default: exit(2)
      }
      print("sum", try await pool.map(0..<1000, double).reduce(0, +))
    }
  }

  struct Odd: Error, Codable { var number: Int }

  /// A fork just after a handle's task was cancelled, when its end is known and not told yet.
  static func cancelled() throws {
    let pool = try ProcessPool(workers: 1)
    let long = pool.submit(0) { (n: Int) -> Int in
      while !PoolTask.isCancelled { usleep(1000) }
      return n
    }
    // The runtime makes types the first time that they are used, and in a fork meanwhile they never get ready.
    let first = pool.submit(20, Descriptors.slowly)
    first.cancel()
    do { _ = try first.wait() } catch is CancellationError {}
    fflush(nil)
    for round in 0..<30 {
      let handle = pool.submit(20, Descriptors.slowly)
      handle.cancel()
      let child = fork()
      if child == 0 {
        alarm(20)
        do { _ = try handle.wait() } catch is CancellationError { _exit(3) }
        _exit(4)
      }
      var status: Int32 = 0
      waitpid(child, &status, 0)
      if status != 3 << 8 { print("child \(round) ended with \(status)") }
    }
    long.cancel()
    pool.shutdown()
  }

  /// Forks while a function takes lines all the time, and the lock of its queue with each.
  static func handler() throws {
    var configuration = ProcessPool.Configuration()
    configuration.output = .handler { _ in }
    let pool = try ProcessPool(workers: 1, configuration: configuration)
    let loud = pool.submit(0) { (n: Int) -> Int in
      while !PoolTask.isCancelled { print("line") }
      return n
    }
    // The runtime makes types the first time that they are used, and in a fork meanwhile they never get ready.
    do { _ = try pool.withDeadline(.milliseconds(10)).run(20, Descriptors.slowly) } catch {}
    fflush(nil)
    for round in 0..<30 {
      usleep(3000)
      let child = fork()
      if child == 0 {
        alarm(20)
        do { _ = try pool.run(20, Descriptors.slowly) } catch { _exit(3) }
        _exit(4)
      }
      var status: Int32 = 0
      waitpid(child, &status, 0)
      if status != 3 << 8 { print("child \(round) ended with \(status)") }
    }
    loud.cancel()
    pool.shutdown()
    print("ended")
  }

  /// A fork while nobody reads what tasks of its parent have printed, and a pool of its own that prints elsewhere.
  static func output() throws {
    let output = dup(1)
    let unread = Output.redirectOutput()
    let pool = try ProcessPool(workers: 1)
    func speak(_ text: String, _ count: Int, in pool: ProcessPool) throws {
      _ = try pool.run(Speech(text: text, count: count)) { (speech: Speech) -> Int in
        for _ in 0..<speech.count { print(speech.text) }
        return 0
      }
    }
    try speak(String(repeating: "p", count: 100), 5_000, in: pool)
    let child = fork()
    if child == 0 {
      alarm(30)
      dup2(output, 1)
      try withProcessPool(workers: 1) { try speak("child", 3, in: $0) }
      _exit(0)
    }
    var status: Int32 = 0
    waitpid(child, &status, 0)
    printError("child ended \(status)")
    close(unread)
    _exit(0)
  }

  struct Speech: Codable { var text: String, count: Int }

  /// A fork of the program, with a copy of the pool, uses it and lets it go, while tasks run here.
  static func parent() throws {
    var pool: ProcessPool? = try ProcessPool(workers: 2)
    guard try pool!.map([1, 2], double) == [2, 4] else { return print("wrong") }
    let handle = pool!.submit(20, Descriptors.slowly)
    var printing: TaskHandle<Int>? = pool!.submit(5) { (n: Int) -> Int in
      usleep(100_000)
      print("a task's line")
      return n
    }
    fflush(nil)
    let child = fork()
    if child == 0 {
      do { print("child:", try handle.wait()) } catch {
        print("child:", (error as! TaskError).code, "\(error)".contains("fork"))
      }
      do { print("child:", try pool!.map([1, 2], double)) } catch {
        print("child:", (error as! TaskError).code, "\(error)".contains("fork"))
      }
      do { print("child:", try pool!.run(3, double)) } catch {
        print("child:", (error as! TaskError).code)
      }
      pool!.shutdown()
      printing = nil
      pool = nil
      do {
        print("child:", try withProcessPool(workers: 1) { try $0.map([4], double) })
      } catch { print("child:", error) }
      fflush(nil)
      _exit(0)
    }
    var status: Int32 = 0
    waitpid(child, &status, 0)
    print("child ended", status)
    print(try handle.wait(), try printing!.wait(), try pool!.map(0..<100, double).reduce(0, +))
    pool!.shutdown()
  }
}

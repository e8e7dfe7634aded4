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

import Apus
import TestSupport
import Testing

/// What the compiler says of the usual slips, each a line of a program.
private let slips: [(code: String, words: String)] = [
  ("_ = try await pool.map([1, 2], with: 3) { n in n }", "the context first"),
  ("try await pool.forEach([1, 2], with: 3) { n in print(n) }", "the context first"),
  ("let x = try await pool.run(1, with: 3) { $0 + 1 }; print(x)", "the context first"),
  ("_ = await pool.outcomes(of: [1.5], with: \"a\") { n in let m = n; return m }", "the context first"),
  ("for try await x in pool.results(of: 0..<9, with: 1) { n in n } { print(x) }", "the context first"),
  ("print(try await pool.submit(1, with: [2]) { n in \"\\(n)\" }.value)", "the context first"),
  ("print(try await pool.first(in: [1], with: 2) { n in n > 1 } ?? 0)", "the context first"),
  ("print(RemoteFunction<Int, Int>(with: 3) { n in n })", "the context first"),
  ("_ = try await withRanks(2, with: 3) { world in world.rank }", "the context first"),
  ("print(RankFunction<Int>(with: 3) { world in world.rank })", "the context first"),
  ("_ = try await pool.map([1, 2], timeout: .seconds(1)) { $0 + 1 }", "called timeLimit"),
  ("try await pool.forEach([1, 2], timeout: .seconds(1)) { print($0) }", "called timeLimit"),
  ("_ = try await pool.map([1], with: 2, timeout: .seconds(1), retries: 1) { $0 + $1 }", "called timeLimit"),
  (
    "let x = try await pool.run(1, timeout: .seconds(1)) { n in let m = n; return m }; print(x)",
    "called timeLimit"
  ),
  ("_ = await pool.outcomes(of: [1], timeout: .seconds(1)) { $0 }", "called timeLimit"),
  ("for try await x in pool.results(of: [1], timeout: .seconds(1), { $0 }) { print(x) }", "called timeLimit"),
  ("print(pool.submit(1, timeout: .seconds(1)) { $0 })", "called timeLimit"),
  ("print(try await pool.first(in: [1], timeout: .seconds(1)) { $0 > 1 } ?? 0)", "called timeLimit"),
  ("try await withProcessPool(2) { pool in print(pool.workerCount) }", "withProcessPool(workers: 2)"),
  (
    "_ = try await withProcessPool(2) { pool in try await pool.map([1], abs) }", "withProcessPool(workers: 2)"
  ),
]

/// Calls that are right, in the forms in which they are written most.
private let rightCalls = """
  _ = try await pool.map([1, 2], with: 3) { $0 * $1 }
  _ = try await pool.map([1, 2], with: 3) { factor, n in let m = factor * n; return m }
  _ = try await pool.map([1, 2], timeLimit: .seconds(1)) { n in let m = n + 1; return m * 2 }
  _ = try await pool.map(["a"], \\.count) as [Int]
  _ = try await pool.map([1.5], abs)
  _ = try await pool.run(1, with: "a") { "\\($0)\\($1)" }
  _ = try await pool.map([1]) { (n: Int) async in try? await Task.sleep(for: .seconds(n)); return n }
  try await pool.forEach([1, 2]) { print($0) }
  try await pool.forEach([1, 2], with: 3) { factor, n in print(factor * n) }
  try await pool.forEach([1, 2], timeLimit: .seconds(1)) { n in let m = n + 1; print(m) }
  try await pool.run("a") { print($0) }
  try await pool.submit("a", with: 1) { print($0, $1) }.value
  let length = try await pool.run("a") { $0.count }; print(length + 1)
  _ = try await withRanks(2, with: 3) { number, world in number + world.rank }
  _ = try await withRanks(2) { world in world.rank }
  """

/// The errors that the compiler has for a program, as line and text.
private func errors(in source: String) async throws -> [(line: Int, text: String)] {
  let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
  let command = """
    exec swiftc -typecheck -swift-version 6 -I '\(programFolder)/Modules' \
    -Xcc -fmodule-map-file='\(root)/Sources/CApus/include/module.modulemap' - 2>&1
    """
  let run = try await runProgram("/bin/sh", ["sh", "-c", command], input: source)
  return run.output.split(separator: "\n").compactMap { line in
    let parts = line.split(separator: ":", maxSplits: 4)
    guard parts.count == 5, parts[0] == "<stdin>", parts[3] == " error", let number = Int(parts[1]) else {
      return nil
    }
    return (number, String(parts[4]))
  }
}

extension ProcessPoolTests {
  /// The compiler itself looks at small programs, with the modules of this build.
  @Suite struct SlipTests {
    @Test func eachSlipGetsASentenceThatHelps() async throws {
      let lines = slips.enumerated().map { "func f\($0)(_ pool: ProcessPool) async throws { \($1.code) }" }
      let found = try await errors(in: (["import Apus"] + lines).joined(separator: "\n") + "\n")
      for (index, slip) in slips.enumerated() {
        let texts = found.filter { $0.line == index + 2 }.map(\.text)
        #expect(texts.contains { $0.contains(slip.words) }, "\(slip.code): \(texts)")
        #expect(!texts.contains { $0.contains("failed to produce diagnostic") }, "\(slip.code): \(texts)")
      }
    }

    @Test func whatIsRightStaysRight() async throws {
      let source = "import Apus\nfunc f(_ pool: ProcessPool) async throws {\n\(rightCalls)\n}\n"
      let found = try await errors(in: source)
      #expect(found.isEmpty, "\(found)")
      // And the compiler did look.
      #expect(try await errors(in: source + "let wrong: Int = \"\"\n").count == 1)
    }
  }
}

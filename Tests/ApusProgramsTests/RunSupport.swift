import ApusSystem
import Glibc
import TestSupport
import Testing

/// Swift Testing has a type of this name too; a declaration in this module comes first.
typealias ExitStatus = ApusSystem.ExitStatus

struct RunResult {
  var run: TestSupport.ProgramRun
  /// The processes that are left of it.
  var left: [Int32]

  var output: String { run.output }
  var errors: String { run.errors }
  var status: ExitStatus { run.status }
  /// The lines, sorted: those of different jobs come in any order.
  var lines: [String] { run.output.split(separator: "\n").map(String.init).sorted() }
}

func apus(_ arguments: String..., input: String = "") async throws -> RunResult {
  try await apus(arguments: arguments, input: input)
}

func apus(arguments: [String], input: String = "") async throws -> RunResult {
  let mark = Mark()
  let program = programFolder + "/apus"
  let run = try await runProgram(
    program, [program, "run"] + arguments, environment: [mark.entry], input: input)
  #expect(!run.timedOut, "\(run.errors)")
  return RunResult(run: run, left: await mark.left())
}

func withFolder(_ body: (String) async throws -> Void) async throws {
  let path = "/tmp/apus-run-\(UInt64.random(in: 0 ... .max))"
  mkdir(path, 0o700)
  defer { _ = system("rm -rf \(path)") }
  try await body(path)
}

func readLines(_ path: String) throws -> [String] {
  let text = try #require(readSmallFile(path))
  return text.split(separator: "\n").map(String.init)
}

func write(_ text: String, to path: String) throws {
  let file = try #require(fopen(path, "w"))
  fputs(text, file)
  fclose(file)
}

func parent(of process: Int32) -> Int32? {
  guard let text = readSmallFile("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else {
    return nil
  }
  return text[text.index(after: end)...].split(separator: " ").dropFirst().first.flatMap { Int32($0) }
}

import ApusSystem
import ApusProcesses
import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  /// What is said of a worker that crashed.
  @Suite struct CrashReportTests {
    /// A backtrace takes its time, which is not the task's: here twice as long as the task may take.
    @Test(arguments: ["plain", "async"])
    func aTrapIsNoTimeLimit(body: String) async throws {
      let folder = TemporaryFolder()
      let backtracer = folder.path + "/backtracer"
      try writeScript("sleep 4", to: backtracer)
      let run = try await runScenario(
        "slow backtrace", arguments: [body], environment: ["SWIFT_BACKTRACE=swift-backtrace=\(backtracer)"])
      #expect(run.output == "workerDied true\n", "\(run)")
    }

    /// Also where functions of other kinds were called in between.
    @Test func theFunctionThatRanIsTheOneThatIsNamed() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.backtraces = .off
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        #expect(try await pool.map([1, 2], endsAtThirteen) == [1, 2])
        #expect(try await pool.run("a", spelled) == "a")
        let error = try await #require(throws: TaskError.self) {
          try await pool.map([3, 13], endsAtThirteen)
        }
        #expect(error.message.contains("endsAtThirteen"), "\(error)")
      }
    }

    @Test func aSignalThatIsSentIsNoCrash() async throws {
      let folder = TemporaryFolder()
      let backtracer = folder.path + "/backtracer"
      try writeScript("exit 0", to: backtracer)
      let run = try await runScenario(
        "sent signal", environment: ["SWIFT_BACKTRACE=swift-backtrace=\(backtracer)"])
      #expect(run.output == "timeLimitExceeded true\n", "\(run)")
    }

    @Test func theErrorNamesTheFunction() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        func message(_ body: () async throws -> Int) async -> String {
          (await #expect(throws: TaskError.self) { _ = try await body() })?.message ?? ""
        }
        let named = await message { try await pool.run(4, breakDown) }
        #expect(named.contains(/died in (\w+\.)?breakDown(\(_:\))?: signal/), "\(named)")
        let text = await message { try await pool.map(["a", "b"], breakText)[0] }
        #expect(text.contains(/died in (\w+\.)?breakText(\(_:\))?: signal/), "\(text)")
        let asynchronous = await message { try await pool.run(4, breakDownAsync) }
        #expect(asynchronous.contains(/died in (\w+\.)?breakDownAsync(\(_:\))?: signal/), "\(asynchronous)")
        let closure = await message { try await pool.run(5) { (n: Int) in breakDown(n) } }
        #expect(closure.contains("closure #") && closure.contains("theErrorNamesTheFunction()"), "\(closure)")
        // The one that ran, not the last that the worker was told of.
        _ = try await pool.run(6, double)
        let again = await message { try await pool.run(4, breakDown) }
        #expect(again.contains(/died in (\w+\.)?breakDown(\(_:\))?: signal/), "\(again)")
        let late = await message {
          try await pool.run(0, timeLimit: .milliseconds(20)) { (n: Int) in
            sleep(1000)
            return n
          }
        }
        #expect(late.contains("theErrorNamesTheFunction()"), "\(late)")
      }
    }

    /// The program is named by its own name, and its threads alone are shown.
    @Test func aBacktraceShowsTheProgram() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) { try await pool.run(7, breakDown) }
        let text = error?.standardError ?? ""
        #expect(!text.contains("\"exe\"") && !text.contains("apus-lifeline"), "\(text)")
        #expect(text.contains("CrashReportTests") == false)
        #expect(text.contains("SignalTests.swift:"), "\(text)")
      }
    }

    @Test(arguments: [ProcessPool.Configuration.Backtraces.short, .off])
    func backtracesCanBeHadShortOrOff(kind: ProcessPool.Configuration.Backtraces) async throws {
      var configuration = ProcessPool.Configuration()
      configuration.backtraces = kind
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) { try await pool.run(8, breakDown) }
        let text = error?.standardError ?? ""
        #expect(text.contains("the dam of 8"))
        #expect(text.contains("breakDown(_:)") == (kind == .short), "\(text)")
        #expect(text.contains("crashed:") == (kind == .short))
        #expect(error?.message.contains("breakDown") == true)
      }
    }
  }
}

func breakText(_ text: String) -> Int { breakDown(text.utf8.count) }

func breakDownAsync(_ n: Int) async -> Int {
  await Task.yield()
  return breakDown(n)
}

private func writeScript(_ text: String, to path: String) throws {
  let file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o755)
  let bytes = Array("#!/bin/sh\n\(text)\n".utf8)
  try #require(file >= 0 && write(file, bytes, bytes.count) == bytes.count && close(file) == 0)
}

private func endsAtThirteen(_ number: Int) -> Int {
  if number == 13 { abort() }
  return number
}

private func spelled(_ word: String) -> String { word }

import ApusSystem
import ApusProcesses
import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  /// What the threads that run bodies make of signals.
  @Suite struct SignalTests {
    enum Body: CaseIterable { case plain, async, asyncLater, mainActor, plainAfterAsync }

    /// Wherever a body runs, Swift's handler is called.
    @Test(arguments: Body.allCases)
    func aTrapHasItsBacktrace(body: Body) async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        if body == .plainAfterAsync { _ = try await pool.run(0) { (_: Int) async in 0 } }
        let error = await #expect(throws: TaskError.self) {
          switch body {
          case .plain, .plainAfterAsync: try await pool.run(3, breakDown)
          case .async: try await pool.run(3) { (n: Int) async in breakDown(n) }
          case .asyncLater:
            try await pool.run(3) { (n: Int) async throws in
              try await Task.sleep(for: .milliseconds(1))
              return breakDown(n)
            }
          case .mainActor: try await pool.run(3) { (n: Int) async in await breakDownOnMain(n) }
          }
        }
        #expect(error?.code == .workerDied)
        let text = error?.standardError ?? ""
        #expect(text.contains("the dam of 3"))
        #expect(text.contains("crashed:") && text.contains("breakDown(_:)"), "\(text)")
      }
    }

    /// What a body starts inherits the mask of its thread: SIGTERM ends it.
    @Test(arguments: [Body.plain, .async, .plainAfterAsync])
    func programsThatABodyStartsCanBeEnded(body: Body) async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        if body == .plainAfterAsync { _ = try await pool.run(0) { (_: Int) async in 0 } }
        let ending =
          body == .async
          ? try await pool.run(SIGTERM) { (signal: Int32) async in endingOfChild(signal) }
          : try await pool.run(SIGTERM, endingOfChild)
        #expect(ending == SIGTERM)
      }
    }

    /// Workers begin with what the program was started with, whenever they are started.
    @Test func dispositionsAreThoseOfTheProgramsStart() async throws {
      let program = programFolder + "/PoolScenarios"
      let run = try await runProgram(
        "/usr/bin/env", ["env", "--default-signal", "--ignore-signal=HUP", program, "dispositions"])
      #expect(run.output == "[1]\n[1]\n" && run.status == .exited(0), "\(run)")
    }
  }
}

@inline(never)
func breakDown(_ n: Int) -> Int { fatalError("the dam of \(n)") }

@MainActor
func breakDownOnMain(_ n: Int) -> Int { breakDown(n) }

/// Starts a program that takes its time, with plain `fork`'s rules, and signals it. Returns which signal ended it.
func endingOfChild(_ signal: Int32) -> Int32 {
  var child: pid_t = 0
  var arguments = [strdup("sleep"), strdup("20"), nil]
  guard posix_spawn(&child, "/bin/sleep", nil, nil, &arguments, nil) == 0 else { return -1 }
  usleep(50_000)
  kill(child, signal)
  var status: Int32 = 0
  waitpid(child, &status, 0)
  return status & 0x7f
}

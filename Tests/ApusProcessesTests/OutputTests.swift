import ApusSystem
import Testing

extension ProcessPoolTests {
  /// What tasks print, seen from outside of a program.
  @Suite struct OutputTests {
    /// Each line whole, and those of a task before its result: `T7 a`, `T7 b`, `T7 c`, then `R7`.
    @Test(arguments: ["sync", "async", "raw"])
    func whatATaskPrintsComesWholeAndBeforeItsResult(kind: String) async throws {
      let run = try await runScenario("output", arguments: [kind])
      #expect(run.status == .exited(0))
      let lines = run.output.split(separator: "\n").map(String.init)
      var printed: [String: [String]] = [:]
      var results = 0
      for line in lines {
        let words = line.split(separator: " ").map(String.init)
        if words[0].hasPrefix("R") {
          results += 1
          #expect(printed[String(words[0].dropFirst())] == ["a", "b", String(repeating: "c", count: 3000)])
        } else {
          try #require(words.count == 2 && words[0].hasPrefix("T"), "\(line.prefix(100))")
          printed[String(words[0].dropFirst()), default: []].append(words[1])
        }
      }
      #expect(results == 200)
    }

    @Test func standardErrorPassesThroughToo() async throws {
      let run = try await runScenario("errors")
      #expect(run.errors.split(separator: "\n").sorted() == (0..<20).map { "E\($0)" }.sorted())
      #expect(run.status == .exited(0))
    }

    /// Workers see the end of standard input at once, and take nothing of the program's.
    @Test func standardInputIsTheProgramsAlone() async throws {
      let run = try await runScenario("input", input: "one\ntwo\n")
      #expect(run.output == "worker nil\nprogram one\nworker nil\nprogram two\n")
    }

    /// Limits, results and the end of the pool do not wait for it.
    @Test func outputThatNobodyReads() async throws {
      let run = try await runScenario("unread output")
      #expect(!run.timedOut && run.status == .exited(0))
      #expect(run.errors == "0\ntimeLimitExceeded\n2\n3\nended\n")
    }

    @Test func thoseWhoAwaitResultsBehindUnreadOutputShareAThread() async throws {
      let run = try await runScenario("unread output of many")
      #expect(!run.timedOut && run.errors == "few\n", "\(run)")
    }

    @Test func aForkDoesNotWaitForItsParentsOutput() async throws {
      let run = try await runScenario("fork with kept output")
      #expect(!run.timedOut && run.errors == "line 0\nline 1\nline 2\n[0, 1, 2]\nended\n", "\(run)")
    }

    @Test func aWallClockThatIsSetBackHoldsNothingUp() async throws {
      let run = try await runScenario("clock set back")
      #expect(!run.timedOut && run.status == .exited(0) && run.errors == "ended\n", "\(run)")
    }

    @Test func aPipeThatAnotherFillsAtTheWrongMomentHoldsNothingUp() async throws {
      let run = try await runScenario("filled pipe")
      #expect(!run.timedOut && run.errors == "[0, 1, 2]\nended\n", "\(run)")
    }

    @Test func aProgramWhoseOutputIsClosedGoesOn() async throws {
      let run = try await runScenario("closed output")
      #expect(run.status == .exited(0))
      #expect(run.errors == "sum 4950\n")
    }
  }
}

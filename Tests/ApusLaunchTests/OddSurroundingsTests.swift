import ApusSystem
import Glibc
import TestSupport
import Testing

extension LaunchTests {
  /// Ranks, and what starts them, in odd surroundings; see Tests/Programs/Oddly.
  @Suite struct OddSurroundingsTests {
    private let apus = programFolder + "/apus"
    private let oddly = programFolder + "/Oddly"

    @Test(arguments: Surrounding.harmless)
    func ranksInsideOfAProgram(place: Surrounding) async throws {
      let run = try await runOddly(place.words, ranks, ["with ranks", "surrounded"])
      #expect(!run.timedOut && run.status == .exited(0), "\(run.errors)")
    }

    @Test(arguments: Surrounding.harmless)
    func theLauncher(place: Surrounding) async throws {
      let run = try await runOddly(place.words, apus, ["launch", "-n", "2", "--", ranks, "surrounded"])
      #expect(!run.timedOut && run.status == .exited(0), "\(run.errors)")
    }

    /// Ranks of another user than the launcher's are refused.
    @Test(arguments: Surrounding.harmless.filter { $0.words != ["nobody"] })
    func ranksOfTheLauncher(place: Surrounding) async throws {
      let run = try await launch(
        arguments: ["-n", "3", "--", oddly] + place.words + ["--", ranks, "surrounded"])
      #expect(run.status == .exited(0), "\(run.errors)")
      #expect(run.left == [])
    }

    @Test(arguments: ["1", "12", "2"])
    func fullStreams(full: String) async throws {
      let own = try await runOddly(["full=\(full)"], ranks, ["with ranks", "surrounded"])
      #expect(!own.timedOut && own.status == .exited(0), "\(own.errors)")
    }

    // MARK: Statuses that go to somebody else

    @Test(arguments: [[], ["old-pidfd"]], ["ignored SIGCHLD", "waitpid"])
    func somebodyElseReapsTheRanks(words: [String], how: String) async throws {
      let run = try await runOddly(words, ranks, ["with ranks", how])
      #expect(!run.timedOut && run.output == "1 0 2\nrankFailed rankFailed 2\n", "\(run)")
    }

    @Test func childSignalsAreIgnored() async throws {
      let good = try await runOddly(["ignore=\(SIGCHLD)"], apus, ["launch", "-n", "3", "--", "true"])
      #expect(good.status == .exited(0) && good.errors == "", "\(good)")
      let bad = try await runOddly(
        ["ignore=\(SIGCHLD)"], apus, ["launch", "-n", "2", "--", "sh", "-c", "exit 7"])
      #expect(bad.status == .exited(7) && bad.errors.contains("exit code 7"), "\(bad)")
    }

    /// Ranks that start programs are to learn how those ended.
    @Test func ignoredChildSignalsAreNotInherited() async throws {
      let run = try await runOddly(
        ["ignore=\(SIGCHLD)"], apus, ["launch", "-n", "1", "--", "grep", "SigIgn", "/proc/self/status"])
      let mask = run.output.split { $0.isWhitespace }.last.flatMap { UInt64($0, radix: 16) }
      #expect(mask.map { $0 & 1 << (SIGCHLD - 1) } == 0, "\(run)")
    }

    /// Nothing is left for a process 1 that reaps nobody, however a launch ends.
    @Test(
      .enabled(if: geteuid() == 0),
      arguments: [
        ["-n", "2", "--", "true"], ["-n", "2", "--", "false"], ["-n", "1", "--", "/no/such/program"],
        ["--grace-period", "0", "-n", "3", "--", "sh", "-c", "kill -9 $$"],
      ])
    func underAProcessOneThatDoesNotReap(arguments: [String]) async throws {
      let expected = try await runProgram(apus, [apus, "launch"] + arguments)
      let run = try await runOddly(["init"], apus, ["launch"] + arguments)
      #expect(!run.timedOut && run.status == expected.status, "\(run)")
    }

    // MARK: Descriptors that somebody else closes

    @Test func descriptorsAreClosed() async throws {
      let run = try await runProgram(ranks, [ranks, "with ranks", "closed"])
      #expect(!run.timedOut && run.status == .exited(0), "\(run)")
      #expect(run.output.hasPrefix("noResources another part of this program has closed"), "\(run)")
      #expect(run.output.hasSuffix("\n[]\n"), "\(run)")
    }

    // MARK: Forks

    @Test func aBodyForks() async throws {
      let run = try await runProgram(ranks, [ranks, "with ranks", "fork"])
      #expect(!run.timedOut && run.output == "0 1\n", "\(run)")
      #expect(run.errors.contains("forked"), "\(run.errors)")
    }
  }
}

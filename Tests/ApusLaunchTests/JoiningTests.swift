import ApusSystem
import Glibc
import TestSupport
import Testing

extension LaunchTests {
  @Suite struct JoiningTests {
    @Test(arguments: [1, 2, 5])
    func ranksKnowWhoTheyAre(count: Int) async throws {
      let run = try await launch("-n", "\(count)", "--", ranks, "join")
      #expect(run.lines == (0..<count).map { "rank \($0) of \(count)" })
      #expect(run.errors == "" && run.status == .exited(0))
      #expect(run.left == [])
    }

    @Test func theyShareMemory() async throws {
      let run = try await launch("-n", "3", "--", ranks, "meet")
      #expect(run.lines == (0..<3).map { "rank \($0) met all 3" })
      #expect(run.status == .exited(0))
    }

    @Test func moreThanAFew() async throws {
      let run = try await launch("-n", "40", "--", ranks, "meet")
      #expect(Set(run.lines) == Set((0..<40).map { "rank \($0) met all 40" }))
      #expect(run.status == .exited(0) && run.errors == "")
    }

    @Test func aSecondCallGivesTheSameAnswer() async throws {
      let run = try await launch("-n", "2", "--", ranks, "twice")
      #expect(run.lines == ["true true", "true true"] && run.status == .exited(0))
    }

    @Test func itWorksThroughAShell() async throws {
      let run = try await launch("-n", "2", "--", "sh", "-c", "true; \(ranks) join; true")
      #expect(run.lines == ["rank 0 of 2", "rank 1 of 2"])
      #expect(run.errors == "" && run.status == .exited(0))
    }

    @Test func aCredentialIsGoodOnce() async throws {
      let run = try await launch("-n", "1", "--", "sh", "-c", "\(ranks) try; echo $$; \(ranks) try; exit 0")
      #expect(run.output.hasPrefix("rank 0\n"))
      #expect(run.output.contains("error: process "))
      #expect(run.output.contains("can't be rank 0 of 1: process "))
      #expect(run.status == .exited(0))
    }

    @Test(.enabled(if: geteuid() == 0 && access("/usr/bin/unshare", X_OK) == 0))
    func aRankInAnotherPIDNamespaceIsRefused() async throws {
      let run = try await launch("-n", "1", "--", "unshare", "--pid", "--fork", ranks, "try")
      #expect(
        run.output.hasPrefix("error: rank 0 runs in another PID namespace than its launcher"), "\(run.errors)"
      )
      #expect(run.left == [])
    }

    @Test func whatARankStartsIsNoRank() async throws {
      let run = try await launch("-n", "2", "--", ranks, "child")
      #expect(run.lines == ["alone", "alone"])
      #expect(run.errors == "" && run.status == .exited(0))
    }

    @Test func aProgramThatIsNotStartedAsARankIsAlone() async throws {
      let run = try await runProgram(ranks, [ranks, "try"])
      #expect(run.output == "alone\n")
    }

    @Test(arguments: [
      "", "x", "apus-0:0:1", "apus-0:1:1:0", "apus-0:-1:1:", ":0:1:00000000000000000000000000000000",
      "apus-0:1:1:00000000000000000000000000000000", "apus-0:0:99999:00000000000000000000000000000000",
    ])
    func aBadCredentialIsAnError(credential: String) async throws {
      let run = try await runProgram(ranks, [ranks, "try"], environment: ["APUS_RANK=\(credential)"])
      #expect(run.output.hasPrefix("error: the environment variable APUS_RANK holds no credential"))
    }

    @Test func aCredentialWhoseLauncherIsGoneIsAnError() async throws {
      let credential = "apus-gone:0:1:00000000000000000000000000000000"
      let run = try await runProgram(ranks, [ranks, "try"], environment: ["APUS_RANK=\(credential)"])
      let expected = "error: the `apus launch` that started this program as rank 0 can't be reached"
      #expect(run.output.hasPrefix(expected))
    }

    @Test func strangersDoNoHarm() async throws {
      let run = try await launch("-n", "2", "--", ranks, "nonsense")
      #expect(run.lines == ["rank 0 of 2 after 100", "rank 1 of 2 after 100"])
      #expect(run.errors == "" && run.status == .exited(0))
    }

    @Test func aLaunchInALaunch() async throws {
      let apus = programFolder + "/apus"
      let run = try await launch("-n", "2", "--", apus, "launch", "-n", "2", "--", ranks, "join")
      #expect(run.lines == ["rank 0 of 2", "rank 0 of 2", "rank 1 of 2", "rank 1 of 2"])
      #expect(run.status == .exited(0) && run.left == [])
    }
  }
}

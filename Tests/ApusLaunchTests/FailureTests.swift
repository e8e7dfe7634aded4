import ApusSystem
import Glibc
import TestSupport
import Testing

extension LaunchTests {
  @Suite struct FailureTests {
    @Test func theFirstThatFailsEndsAll() async throws {
      let run = try await launch("--grace-period", "0.1", "-n", "3", "--", ranks, "exit", "1", "3")
      #expect(run.status == .exited(3))
      #expect(summary(run) == "rank 1 ended with exit code 3; 2 others were ended")
      #expect(run.left == [])
    }

    @Test(arguments: [SIGKILL, SIGSEGV, SIGTERM])
    func aSignal(number: Int32) async throws {
      let run = try await launch("--grace-period", "0.1", "-n", "2", "--", ranks, "signal", "0", "\(number)")
      #expect(run.status == .exited(128 + number))
      #expect(summary(run)?.hasPrefix("rank 0 ended with signal \(number) (SIG") == true)
      #expect(run.left == [])
    }

    /// Its message is not buried under the backtraces of those that waited for it.
    @Test func aTrap() async throws {
      let run = try await launch("--grace-period", "0.1", "-n", "2", "--", ranks, "trap", "0")
      #expect(summary(run)?.contains(": Fatal error: this rank had a mishap") == true, "\(run.errors)")
    }

    /// A standard stream that is closed is no other file.
    @Test(arguments: ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    func closedStreams(_ closing: String) async throws {
      let run = try await runProgram(
        "/bin/sh", ["sh", "-c", "exec '\(programFolder)/apus' launch -n 2 -- '\(ranks)' join \(closing)"])
      #expect(!run.timedOut && run.status == .exited(0), "\(run.output) \(run.errors)")
    }

    /// A full disk: the loss is told, and is no success.
    @Test(arguments: ["plain", "prefix", "group"])
    func aFullDisk(output: String) async throws {
      let command = "exec '\(programFolder)/apus' launch --\(output) -n 2 -- '\(ranks)' join >/dev/full"
      let run = try await runProgram("/bin/sh", ["sh", "-c", command])
      #expect(!run.timedOut && run.status == .exited(1), "\(run.errors)")
      #expect(run.errors.contains("is lost: No space left on device"), "\(run.errors)")
    }

    /// Its peers would wait for it for ever.
    @Test func oneThatLeavesWithoutAWord() async throws {
      let run = try await launch("--grace-period", "0.1", "-n", "2", "--", ranks, "exit", "1", "0")
      #expect(run.status == .exited(1))
      #expect(
        summary(run)
          == "rank 1 left the others: it joined them, and ended with exit code 0 before it had finalized; "
          + "one other was ended")
    }

    @Test func oneThatBecomesAnotherProgram() async throws {
      let run = try await launch("--grace-period", "0.1", "-n", "2", "--", ranks, "replaced")
      #expect(run.status == .exited(1))
      #expect(summary(run)?.hasPrefix("rank 1 left the others: it joined them, and hung up") == true)
      #expect(run.left == [])
    }

    @Test(arguments: [0, 1])
    func oneThatNeverComes(rank: Int) async throws {
      let run = try await launch("--grace-period", "0.1", "-n", "2", "--", ranks, "never", "\(rank)")
      #expect(run.status == .exited(1))
      #expect(summary(run)?.hasPrefix("rank \(rank) ended with exit code 0 and never joined") == true)
      #expect(run.left == [])
    }

    @Test func finalizedAndThenFailed() async throws {
      let run = try await launch("-n", "1", "--", ranks, "exit finalized", "9")
      #expect(run.status == .exited(9))
    }

    @Test func finalizedByAll() async throws {
      let run = try await launch("-n", "2", "--", ranks, "exit finalized", "0")
      #expect(run.status == .exited(0) && run.errors == "")
    }

    @Test func theFirstIsNamedAndNotThoseThatFollow() async throws {
      let run = try await launch("-n", "3", "--", ranks, "fail first")
      #expect(run.status == .exited(7))
      #expect(summary(run) == "rank 1 ended with exit code 7")
    }

    @Test func stoppedOnesAreEndedToo() async throws {
      let run = try await launch("--grace-period", "0.1", "-n", "3", "--", ranks, "stop")
      #expect(run.status == .exited(3))
      #expect(run.left == [])
    }

    @Test func thoseThatIgnoreSigtermAreKilled() async throws {
      let run = try await launch(
        "--grace-period", "0", "-n", "2", "--", "sh", "-c",
        "trap '' TERM INT HUP; mkdir $TMPDIR/first 2>/dev/null && exit 5; while :; do sleep 1; done",
        environment: ["TMPDIR=\(try TemporaryFolder.make())"])
      #expect(run.status == .exited(5))
      #expect(run.left == [])
    }

    @Test func keepGoing() async throws {
      let run = try await launch(
        "--keep-going", "-n", "2", "--", "sh", "-c",
        "mkdir $TMPDIR/first 2>/dev/null && exit 5; sleep 0.3; echo done",
        environment: ["TMPDIR=\(try TemporaryFolder.make())"])
      #expect(run.output == "done\n")
      #expect(run.status == .exited(5))
    }

    /// Output that nobody ends is not waited for. What has left the rank's process group is on its own.
    @Test(arguments: [false, true])
    func aDescendantThatHoldsTheOutputOpen(isDaemon: Bool) async throws {
      let script = "\(isDaemon ? "setsid " : "")sleep 1000 & echo done"
      let run = try await launch("-n", "2", "--", "sh", "-c", script)
      #expect(run.output == "done\ndone\n")
      #expect(run.status == .exited(0))
      #expect(run.left.count <= (isDaemon ? 2 : 0))
    }

    @Test(arguments: [
      ["launch"], ["launch", "-n", "0", "true"], ["launch", "-n", "-1", "true"],
      ["launch", "-n", "x", "true"],
      ["launch", "-n", "1000000", "true"], ["launch", "--bogus", "true"], ["launch", "--", ""], ["nothing"],
    ])
    func whatMakesNoSense(arguments: [String]) async throws {
      let apus = programFolder + "/apus"
      let run = try await runProgram(apus, [apus] + arguments)
      #expect(run.status == .exited(64))
      #expect(run.errors.hasPrefix("Error: "))
      #expect(run.output == "")
    }

    @Test(arguments: [
      ("lauch", "did you mean 'launch'?"), ("Launch", "did you mean 'launch'?"),
      ("docter", "did you mean 'doctor'?"),
      ("./program", "apus launch -n 4 ./program"),
    ])
    func aSlipInTheCommand(word: String, answer: String) async throws {
      let apus = programFolder + "/apus"
      let run = try await runProgram(apus, [apus, word, "-n", "4", "x"])
      #expect(run.status == .exited(64))
      #expect(run.errors.hasPrefix("Error: there is no command '\(word)'"))
      #expect(run.errors.contains(answer))
    }

    @Test func aProgramThatIsNotThere() async throws {
      let search = try await launch(
        "-n", "2", "no-such-program-at-all", environment: ["PATH=/usr/bin:/bin"])
      #expect(search.status == .exited(127))
      #expect(
        search.errors == "apus launch: no program named no-such-program-at-all in PATH (/usr/bin:/bin)\n")
      let path = try await launch("-n", "2", "/no/such")
      #expect(path.status == .exited(127))
      #expect(path.errors == "apus launch: /no/such: No such file or directory\n")
    }

    @Test func tooFewDescriptors() async throws {
      let apus = programFolder + "/apus"
      let mark = Mark()
      let run = try await runProgram(
        "/bin/sh", ["sh", "-c", "ulimit -n 60; exec \(apus) launch -n 40 sleep 1000"],
        environment: [mark.entry])
      #expect(run.status == .exited(1))
      #expect(run.errors.contains("ulimit -n"), "\(run.errors)")
      #expect(await mark.left() == [])
    }

    @Test func aProgramThatCannotBeRun() async throws {
      let folder = try await launch("/tmp")
      #expect(folder.status == .exited(126))
      #expect(folder.errors == "apus launch: /tmp is a folder, no program\n")
      let file = try await launch("/etc/passwd")
      #expect(file.status == .exited(126))
    }

    /// The last line, without the process's number.
    private func summary(_ run: LaunchRun) -> String? {
      let start = "apus launch: "
      guard let line = run.errors.split(separator: "\n").last, line.hasPrefix(start) else { return nil }
      return line.dropFirst(start.count).split(separator: " (process ").enumerated()
        .map { index, part in index == 0 ? String(part) : String(part.drop { $0 != ")" }.dropFirst()) }
        .joined()
    }
  }
}

enum TemporaryFolder {
  /// Left behind for the system to clear away.
  static func make() throws -> String {
    var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw ProcessError(errno: errno, doing: "making a folder") }
    return String(cString: made)
  }
}

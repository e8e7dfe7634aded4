import ApusSystem
import Glibc
import TestSupport
import Testing

/// How a run ends before its jobs have, and what is left of it.
@Suite(.timeLimit(.minutes(10))) struct RunSignalTests {
  @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGKILL])
  func signals(number: Int32) async throws {
    let live = try LiveLaunch(
      [
        "-j2", "--output", "line", "sh", "-c", "sh -c 'sleep 1000 & wait' & sleep 1000 & echo ready; wait",
        "sh", ":::", "1", "2", "3",
      ],
      command: "run")
    #expect(await eventually { live.output.split(separator: "\n").count == 2 })
    live.signal(number)
    #expect(await live.status() == .signalled(number, coreDumped: false))
    #expect(await live.mark.left() == [])
  }

  @Test func controlC() async throws {
    let live = try LiveLaunch(
      [
        "--output", "line", "--grace-period", "100", "sh", "-c", "echo ready; sleep 1000", "sh", ":::", "1",
        "2",
      ],
      command: "run", input: .terminal)
    // Besides them there is the bar.
    #expect(await eventually { live.output.ranges(of: "ready").count == 2 })
    live.type("\u{3}")
    #expect(await live.status() == .signalled(SIGINT, coreDumped: false))
    #expect(await live.prints("ended by signal 2 (SIGINT: interrupt)"))
    #expect(await live.mark.left() == [])
  }

  /// Stopped and continued, as by ^Z and `fg`; the signal comes to the command and to its guardian.
  @Test func stoppedAndContinued() async throws {
    let live = try LiveLaunch(
      ["--output", "line", "sh", "-c", "echo ready; sleep 1; echo done"], command: "run")
    #expect(await live.prints("ready"))
    for _ in 0..<3 {
      kill(-live.child.pid, SIGTSTP)
      #expect(await eventually { live.mark.processes.allSatisfy { state(of: $0) == "T" } })
      kill(-live.child.pid, SIGCONT)
      #expect(await eventually { live.mark.processes.allSatisfy { state(of: $0) != "T" } })
      try await Task.sleep(for: .milliseconds(100))
      #expect(live.mark.processes.allSatisfy { state(of: $0) != "T" })
    }
    #expect(await live.prints("done"))
    #expect(await live.status() == .exited(0))
  }

  /// Those that do not hear SIGTERM are killed: at a second signal, or when their grace is over.
  @Test(arguments: [true, false])
  func stubbornJobs(isForced: Bool) async throws {
    let live = try LiveLaunch(
      [
        "--output", "line", "--grace-period", isForced ? "100" : "0.1", "sh", "-c",
        "trap '' TERM; echo ready; sleep 1000; sleep 1000",
      ],
      command: "run")
    #expect(await live.prints("ready"))
    live.signal(SIGTERM)
    if isForced {
      try await Task.sleep(for: .milliseconds(200))
      #expect(live.child.reap() == nil)
      live.signal(SIGTERM)
    }
    #expect(await live.status() == .signalled(SIGTERM, coreDumped: false))
    #expect(await live.mark.left() == [])
  }

  /// The runner is killed, and its guardian ends what it has left.
  @Test func theRunnerIsKilled() async throws {
    let live = try LiveLaunch(
      ["--output", "line", "sh", "-c", "setsid sleep 1000 & echo ready; wait"], command: "run")
    #expect(await live.prints("ready"))
    let runner = live.mark.processes.first { parent(of: $0) == live.child.pid }
    kill(try #require(runner), SIGKILL)
    #expect(await live.status() == .signalled(SIGKILL, coreDumped: false))
    #expect(await live.mark.left() == [])
  }

  @Test func aSlowReaderLosesNothing() async throws {
    let script = "head -c 300000 /dev/zero; echo"
    for words in ["", "-k", "--output line"] {
      let run = try await runProgram(
        "/bin/sh",
        [
          "sh", "-c",
          "'\(programFolder)/apus' run \(words) -- sh -c '\(script)' x ::: 1 2 | (sleep 0.5; wc -c)",
        ])
      #expect(run.output == "600002\n")
      #expect(run.errors == "")
    }
  }

  /// As binary output has to be.
  @Test func nothingIsAddedToAGroup() async throws {
    #expect(try await apus("-k", "printf", ":::", "a", "b").output == "ab")
  }

  /// Children that the process had before it became this command are not its jobs.
  @Test func strangersAreSpared() async throws {
    let script =
      "sleep 1000 & '\(programFolder)/apus' run -- sh -c 'setsid sleep 1000 & sleep 0.1'; kill %1 && echo spared"
    #expect(try await runProgram("/bin/bash", ["bash", "-c", script]).output == "spared\n")
    let replaced = try await runProgram(
      "/bin/bash",
      ["bash", "-c", "sleep 1000 & echo $!; exec '\(programFolder)/apus' run -- true 2>&1 >/dev/null"])
    let process = try #require(replaced.output.split(separator: "\n").first.flatMap { Int32($0) })
    #expect(kill(process, SIGKILL) == 0)
  }

  @Test func nobodyReads() async throws {
    let run = try await runProgram(
      "/bin/sh", ["sh", "-c", "'\(programFolder)/apus' run -j1 --output line yes ::: a b c | head -n 1"])
    #expect(run.output == "a\n")
  }
}

import ApusSystem
import Glibc
import TestSupport
import Testing

extension LaunchTests {
  @Suite struct SignalTests {
    @Test(arguments: 1...3)
    func controlC(run: Int) async throws {
      let live = try LiveLaunch(["--grace-period", "100", "-n", "2", ranks, "wait"], input: .terminal)
      try #require(await live.prints("[0] ready 0", "[1] ready 1"), "\(live.output)")
      let start = ContinuousClock.now
      live.type("\u{3}")
      #expect(await live.status() == .signalled(SIGINT, coreDumped: false))
      print("^C: over after \(ContinuousClock.now - start)")
      #expect(await live.prints("ended by signal 2 (SIGINT: interrupt)"))
      #expect(live.output.split(whereSeparator: \.isNewline).count == 3, "\(live.output)")
      #expect(await live.mark.left() == [])
    }

    /// The command ends as if it had taken the signal itself.
    @Test(arguments: [SIGTERM, SIGHUP, SIGINT, SIGQUIT])
    func theSameSignal(number: Int32) async throws {
      let live = try LiveLaunch(["--grace-period", "100", "-n", "2", ranks, "wait"])
      #expect(await live.prints("ready 0", "ready 1"))
      live.signal(number)
      #expect(await live.status() == .signalled(number, coreDumped: false))
      #expect(await live.mark.left() == [])
    }

    @Test func aSecondOneForces() async throws {
      let live = try LiveLaunch(["--grace-period", "100", "-n", "2", ranks, "stubborn"])
      #expect(await live.prints("ready 0", "ready 1"))
      live.signal(SIGINT)
      try await Task.sleep(for: .milliseconds(200))
      #expect(live.child.reap() == nil)
      live.signal(SIGINT)
      #expect(await live.status() == .signalled(SIGINT, coreDumped: false))
      #expect(await live.mark.left() == [])
    }

    @Test func thoseThatIgnoreItAreKilledInTime() async throws {
      let live = try LiveLaunch(["--grace-period", "0.1", "-n", "2", ranks, "stubborn"])
      #expect(await live.prints("ready 0", "ready 1"))
      live.signal(SIGTERM)
      #expect(await live.status() == .signalled(SIGTERM, coreDumped: false))
      #expect(await live.mark.left() == [])
    }

    @Test func stoppedRanks() async throws {
      let live = try LiveLaunch(["--grace-period", "100", "-n", "2", ranks, "stopped"])
      #expect(await live.prints("ready 0", "ready 1"))
      #expect(await eventually { live.mark.processes.filter { state(of: $0) == "T" }.count == 2 })
      live.signal(SIGTERM)
      #expect(await live.status() == .signalled(SIGTERM, coreDumped: false))
      #expect(await live.mark.left() == [])
    }

    @Test(arguments: ["wait", "stubborn", "stopped"], [false, true])
    func theLauncherIsKilled(scenario: String, throughShell: Bool) async throws {
      let command = throughShell ? ["sh", "-c", "\(ranks) \(scenario); true"] : [ranks, scenario]
      let live = try LiveLaunch(["-n", "3"] + command)
      #expect(await live.prints("ready 0", "ready 1", "ready 2"))
      if scenario == "stopped" {
        #expect(await eventually { live.mark.processes.filter { state(of: $0) == "T" }.count == 3 })
      }
      live.signal(SIGKILL)
      #expect(await live.status() == .signalled(SIGKILL, coreDumped: false))
      #expect(await live.mark.left() == [])
    }

    /// Not even what programs have started that never joined.
    @Test func theLauncherIsKilledWithDescendants() async throws {
      let live = try LiveLaunch([
        "-n", "2", "sh", "-c", "sleep 1000 & sh -c 'sleep 1000 & wait' & echo ready; wait",
      ])
      #expect(await eventually { live.mark.processes.count == 10 })
      live.signal(SIGKILL)
      #expect(await live.status() == .signalled(SIGKILL, coreDumped: false))
      #expect(await live.mark.left() == [])
    }

    @Test func whatIsIgnoredStaysIgnored() async throws {
      let live = try LiveLaunch(["-n", "2", ranks, "wait"], ignoring: "HUP,INT")
      #expect(await live.prints("ready 0", "ready 1"))
      live.signal(SIGHUP)
      live.signal(SIGINT)
      try await Task.sleep(for: .milliseconds(200))
      #expect(live.child.reap() == nil)
      live.signal(SIGTERM)
      #expect(await live.status() == .signalled(SIGTERM, coreDumped: false))
      #expect(await live.mark.left() == [])
    }

    @Test func aUsersSignalIsPassedOn() async throws {
      let script = "trap 'echo got; exit 0' USR1; echo ready; while :; do sleep 0.05; done"
      let live = try LiveLaunch(["--prefix", "-n", "2", "sh", "-c", script])
      #expect(await live.prints("[0] ready", "[1] ready"))
      live.signal(SIGUSR1)
      #expect(await live.prints("[0] got", "[1] got"))
      #expect(await live.status() == .exited(138) || live.child.status == .exited(0))
    }

    @Test func stoppedAndContinued() async throws {
      let live = try LiveLaunch(["-n", "2", ranks, "wait"])
      #expect(await live.prints("ready 0", "ready 1"))
      live.signal(SIGTSTP)
      // All but the watchdog.
      #expect(await eventually { live.mark.processes.filter { state(of: $0) == "T" }.count == 3 })
      live.signal(SIGCONT)
      #expect(await eventually { live.mark.processes.allSatisfy { state(of: $0) != "T" } })
      live.signal(SIGTERM)
      #expect(await live.status() == .signalled(SIGTERM, coreDumped: false))
      #expect(await live.mark.left() == [])
    }

    /// Neither the launcher nor its ranks wait for a reader when they are told to end.
    @Test func nobodyReads() async throws {
      let live = try LiveLaunch(["--grace-period", "100", "-n", "2", "yes"], isRead: false)
      try await Task.sleep(for: .milliseconds(300))
      live.signal(SIGTERM)
      #expect(await live.status() == .signalled(SIGTERM, coreDumped: false))
      #expect(await live.mark.left() == [])
    }

    /// A question has no newline at its end, and must be seen before the answer.
    @Test func aQuestion() async throws {
      let script = "printf 'name? '; read name; echo hello $name"
      let live = try LiveLaunch(["-n", "2", "sh", "-c", script], input: .terminal)
      #expect(await live.prints("[0] name? "))
      live.type("Ada\n")
      #expect(await live.prints("[0] hello Ada"))
      #expect(await live.status() == .exited(0))
    }

    /// Rank 0 gets what is typed, to its end.
    @Test func aTerminalsInput() async throws {
      let live = try LiveLaunch(["-n", "2", "sh", "-c", "echo ready; cat; echo over"], input: .terminal)
      #expect(await live.prints("[0] ready", "[1] ready", "[1] over"))
      live.type("typed\n")
      #expect(await live.prints("[0] typed"))
      live.type("\u{4}")
      #expect(await live.prints("[0] over"))
      #expect(await live.status() == .exited(0))
    }
  }
}

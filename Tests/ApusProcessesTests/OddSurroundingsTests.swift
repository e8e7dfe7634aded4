import ApusSystem
import Glibc
import Testing

extension ProcessPoolTests {
  /// Pools in programs that are started in odd surroundings; see Tests/Programs/Oddly.
  @Suite struct OddSurroundingsTests {
    private let program = programFolder + "/PoolScenarios"

    @Test(arguments: Surrounding.harmless)
    func worksAsAnywhereElse(place: Surrounding) async throws {
      let run = try await runOddly(place.words, program, ["surrounded"])
      #expect(!run.timedOut && run.status == .exited(0), "\(run.errors)")
    }

    /// The words of the system, and not the cure of another problem.
    @Test(arguments: ["refuse-eventfd", "refuse-memfd"])
    func aSandboxThatRefuses(word: String) async throws {
      let run = try await runOddly([word], program, ["start"])
      #expect(run.output.contains("noResources") && run.output.contains("seccomp"), "\(run)")
      #expect(!run.output.contains("chmod"), "\(run.output)")
    }

    @Test(.enabled(if: geteuid() == 0))
    func thereIsNoProc() async throws {
      let run = try await runOddly(
        ["no-proc"], program, [], environment: ["APUS_TEST_SCENARIO=start"])
      #expect(run.output.contains("startUpFailed") && run.output.contains("/proc is not mounted"), "\(run)")
      #expect(!run.output.contains("valgrind"), "\(run.output)")
    }

    /// Threads need addresses for their stacks, and the system then says that there are too many threads.
    @Test(arguments: [2, 6, 11, 17])
    func fewAddressesAreLeft(megabytes: Int) async throws {
      let run = try await runScenario("address space", arguments: ["\(megabytes)"])
      #expect(!run.timedOut && run.status == .exited(0), "\(run.errors)")
      #expect(!run.output.contains("ulimit -u"), "\(run.output)")
      if run.output != "2\n" { #expect(run.output.contains("ulimit -v"), "\(run)") }
    }

    // MARK: Descriptors that are closed by those who don't own them

    /// The worker is lost at most; whatever its others were at is done.
    @Test(arguments: ["3", "64", "0", "500"])
    func aBodyClosesDescriptors(first: String) async throws {
      let run = try await runScenario("closing body", arguments: [first])
      #expect(!run.timedOut && run.output == "9900\n9900\n", "\(run)")
    }

    @Test(arguments: ["before", "before async", "during", "during async", "pidfds"])
    func theProgramClosesDescriptors(when: String) async throws {
      let run = try await runScenario("closing parent", arguments: [when])
      #expect(!run.timedOut && run.status == .exited(0), "\(run)")
      let lines = run.output.split(separator: "\n")
      #expect(
        lines.first?.hasPrefix("poolClosed") == true && lines.first?.contains("close") == true, "\(run)")
      #expect(lines.dropFirst() == ["again [2, 4]", "again [2, 4]"], "\(run)")
    }

    // MARK: Forks

    /// A child that returns from the body as well must not go on with the worker's work.
    @Test(arguments: ["numbers", "texts", "errors", "large"], ["child first", "parent first"])
    func aBodyForks(kind: String, order: String) async throws {
      let mark = Mark()
      let run = try await runScenario(
        "forking body", arguments: ["\(kind) \(order)"], environment: [mark.entry])
      #expect(!run.timedOut && run.output == "sum 999000\n", "\(run)")
      #expect(run.errors.contains("forked"), "\(run.errors)")
      #expect(await mark.left() == [])
    }

    @Test func anAsynchronousBodyForks() async throws {
      let mark = Mark()
      let run = try await runScenario("forking body", arguments: ["async"], environment: [mark.entry])
      #expect(!run.timedOut && run.output == "sum 999000\n", "\(run)")
      #expect(await mark.left() == [])
    }

    @Test func theProgramForksBesideACancelledTask() async throws {
      let run = try await runScenario("forked handle")
      #expect(run.status == .exited(0) && run.output == "", "\(run)")
    }

    @Test func theProgramForksWhileAFunctionTakesLines() async throws {
      let run = try await runScenario("forked handler")
      #expect(run.status == .exited(0) && run.output == "ended\n", "\(run)")
    }

    @Test func theProgramForksWhileItsOutputIsNotRead() async throws {
      let run = try await runScenario("forked output")
      #expect(run.output == "child\nchild\nchild\n", "\(run)")
      #expect(run.errors.contains("child ended 0"), "\(run)")
    }

    /// A copy of the pool in a fork says what it is, and leaves the pool alone.
    @Test func theProgramForks() async throws {
      let run = try await runScenario("forked parent")
      // When the task prints, once, is not said.
      let lines = run.output.split(separator: "\n").map(String.init)
      #expect(lines.filter { $0 == "a task's line" }.count == 1, "\(run)")
      #expect(
        lines.filter { $0 != "a task's line" } == [
          "child: poolClosed true", "child: poolClosed true", "child: poolClosed", "child: [8]",
          "child ended 0", "20 5 9900",
        ], "\(run)")
    }
  }
}

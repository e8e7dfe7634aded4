import ApusSystem
import Glibc
import TestSupport
import Testing

/// The process pool on ranks: real ranks, locally and under every MPI that is there.
@Suite(.serialized) struct RankPoolTests {
  static let scenarios = [
    "pool", "pool of processes", "pool prepared", "pool spread", "pool crash", "pool late", "pool cancelled",
    "pool nested",
    "pool invalid", "pool throwing",
  ]

  private func launch(_ ranks: Int, _ command: String...) async throws -> ProgramRun {
    let apus = programFolder + "/apus"
    return try await runProgram(
      apus, [apus, "launch", "--grace-period", "20", "-n", "\(ranks)", "--"] + command,
      environment: ["SWIFT_BACKTRACE=enable=no"])
  }

  private func through(_ output: String) -> [String] {
    output.split(separator: "\n").filter { $0.hasSuffix("is through") }.map(String.init).sorted()
  }

  @Test(arguments: scenarios, [1, 2, 4]) func scenario(name: String, ranks: Int) async throws {
    let run = try await launch(ranks, programFolder + "/MessageScenarios", name)
    #expect(!run.timedOut && run.status == .exited(0), "\(run.output) \(run.errors)")
    #expect(through(run.output) == (0..<ranks).map { "rank \($0) is through" })
  }

  /// What went wrong once in many rounds.
  @Test(arguments: ["pool once", "pool beside messages"]) func race(name: String) async throws {
    let run = try await launch(3, programFolder + "/MessageScenarios", name)
    #expect(!run.timedOut && run.status == .exited(0), "\(run.output) \(run.errors)")
  }

  /// With another rank that serves meanwhile.
  @Test func aRankIsHeldByItsTask() async throws {
    let run = try await launch(3, programFolder + "/MessageScenarios", "pool held")
    #expect(!run.timedOut && run.status == .exited(0), "\(run.output) \(run.errors)")
  }

  @Test(arguments: scenarios) func alone(name: String) async throws {
    let program = programFolder + "/MessageScenarios"
    let run = try await runProgram(
      program, [program, name], environment: ["SWIFT_BACKTRACE=enable=no"])
    #expect(!run.timedOut && run.status == .exited(0), "\(run.output) \(run.errors)")
  }

  /// A rank that dies in a task ends the call with an error which says so; a rank that ends in good order, too.
  @Test(arguments: ["pool rank killed", "pool rank exits"], [2, 4])
  func aRankDies(name: String, ranks: Int) async throws {
    let run = try await launch(ranks, programFolder + "/MessageScenarios", name)
    #expect(!run.timedOut && run.status != .exited(0) && through(run.output) == [])
    #expect(
      run.output.contains("rank 0: workerDied: the ranks of the pool are lost: rank "),
      "\(run.output) \(run.errors)")
  }

  /// Functions can't be named to a rank that is another program.
  @Test func ranksOfDifferentBuildsAreTold() async throws {
    let (one, other) = ("\(programFolder)/MessageScenarios", "\(programFolder)/ClusterFibonacci")
    let run = try await launch(
      2, "/bin/sh", "-c",
      "case $APUS_RANK in *:1:2:*) exec '\(other)';; *) exec '\(one)' 'pool crash';; esac"
    )
    #expect(!run.timedOut && run.status != .exited(0))
    #expect(
      run.errors.contains("rank 1 runs another build of the program than rank 0"),
      "\(run.output) \(run.errors)")
  }

  /// Rank 0 sleeps while it waits for the others.
  @Test func waitingIsFree() async throws {
    let run = try await launch(2, programFolder + "/MessageScenarios", "pool waits")
    let line = try #require(
      run.output.split(separator: "\n").first { $0.hasPrefix("waited ") }, "\(run.errors)")
    let milliseconds = try #require(Int(line.dropFirst(7)))
    #expect(milliseconds < 100, "\(milliseconds) ms")
  }

  @Test(arguments: [1, 2, 4]) func fibonacci(ranks: Int) async throws {
    let run = try await launch(ranks, programFolder + "/ClusterFibonacci")
    #expect(run.output == "[832040, 514229, 317811, 196418, 121393, 75025]\n", "\(run.errors)")
    #expect(run.status == .exited(0))
  }

  @Suite(.serialized) struct MPIRankPoolTests {
    @Test(arguments: MPISetup.present, [1, 3])
    func scenarios(setup: MPISetup, ranks: Int) async throws {
      try await setup.play(RankPoolTests.scenarios, ranks: ranks)
    }

    /// MPI promises no more than that the job ends.
    @Test(arguments: MPISetup.present, ["pool rank killed", "pool rank exits"])
    func aRankThatDiesEndsTheJob(setup: MPISetup, name: String) async throws {
      let job = try await setup.run(ranks: 2, command: [programFolder + "/MessageScenarios", name])
      #expect(job.status != .exited(0) && job.status != .exited(124), "\(job.output)")
      #expect(!job.output.contains("is through"))
    }

    @Test(arguments: MPISetup.present) func fibonacci(setup: MPISetup) async throws {
      let job = try await setup.run(ranks: 3, command: [programFolder + "/ClusterFibonacci"])
      #expect(
        job.status == .exited(0) && job.output.contains("[832040, 514229, 317811, 196418, 121393, 75025]"),
        "\(job.output)")
    }
  }
}

import ApusSystem
import Glibc
import TestSupport
import Testing

/// Real ranks: the programs play their scenarios, and end with an error if anything does not hold.
@Suite struct CommunicatorTests {
  /// What every transport must do.
  static let scenarios = [
    "point to point", "requests", "await", "collectives", "await collectives", "started before",
    "out of turn",
    "split", "mistakes",
  ]

  /// Runs a program of the build under `apus launch`.
  private func launch(
    _ ranks: Int, _ program: String, _ arguments: String..., environment: [String] = []
  ) async throws -> ProgramRun {
    let apus = programFolder + "/apus"
    return try await runProgram(
      apus,
      [apus, "launch", "--grace-period", "20", "-n", "\(ranks)", "--", "\(programFolder)/\(program)"]
        + arguments,
      environment: ["SWIFT_BACKTRACE=enable=no"] + environment)
  }

  private func through(_ run: ProgramRun) -> [String] {
    run.output.split(separator: "\n").filter { $0.hasSuffix("is through") }.map(String.init).sorted()
  }

  @Test(
    arguments: scenarios, [1, 2, 3, 4, 5, 6, 7])
  func scenario(name: String, ranks: Int) async throws {
    let run = try await launch(ranks, "MessageScenarios", name)
    #expect(!run.timedOut && run.status == .exited(0), "\(run.errors)")
    #expect(through(run) == (0..<ranks).map { "rank \($0) is through" })
  }

  #if DEBUG
    /// Where ranks can't read one another's memory, long messages come in pieces.
    @Test(
      arguments: ["point to point", "requests", "await", "collectives", "mistakes", "many long messages"],
      [2, 3])
    func inPieces(name: String, ranks: Int) async throws {
      let run = try await launch(ranks, "MessageScenarios", name, environment: ["APUS_NO_PROCESS_READ=1"])
      #expect(!run.timedOut && run.status == .exited(0), "\(run.errors)")
      #expect(through(run).count == ranks)
    }

    /// What was given up after a deadlock is no message any more there either.
    @Test func aDeadlockInPieces() async throws {
      let run = try await launch(
        2, "MessageScenarios", "deadlock of sends", environment: ["APUS_NO_PROCESS_READ=1"])
      #expect(!run.timedOut && run.status == .exited(0) && through(run).count == 2, "\(run.errors)")
    }

    /// Where a sender can't write to its receiver, that one copies the sender's part too.
    @Test func whatTheSenderCannotWrite() async throws {
      let run = try await launch(
        2, "MessageScenarios", "copied together", environment: ["APUS_NO_PROCESS_WRITE=1"])
      #expect(!run.timedOut && run.status == .exited(0), "\(run.errors)")
    }
  #endif

  @Test(
    arguments: [
      ("failing collectives", [1, 2, 3, 4, 7]), ("given up", [2, 3, 8]), ("given up, and waiting", [3, 4]),
      ("given up at the end", [2, 3]), ("many started receives", [2]),
      ("turns", [3, 4]), ("members end", [4]), ("fork", [2]),
      ("threads wake one another", [2]), ("tell at once", [2]), ("splits at the same time", [2, 3]),
      ("signals of operators", [2]),
      ("many long messages", [2]), ("copied together", [2, 3]),
    ])
  func otherScenario(name: String, sizes: [Int]) async throws {
    for ranks in sizes {
      let run = try await launch(ranks, "MessageScenarios", name)
      #expect(!run.timedOut && run.status == .exited(0), "\(ranks) ranks: \(run.errors)")
      #expect(through(run).count == ranks)
    }
  }

  // MARK: Deadlocks

  /// All ranks are told, and by whom each waits; what comes after works.
  @Test(
    arguments: [
      (
        "deadlock in a ring", 3,
        [
          "rank 0 receives from rank 2, tag 5", "rank 1 receives from rank 0, tag 5",
          "rank 2 receives from rank 1, tag 5",
        ]
      ),
      (
        "deadlock in a ring", 2, ["rank 0 receives from rank 1, tag 5", "rank 1 receives from rank 0, tag 5"]
      ),
      (
        "deadlock of sends", 2,
        [
          "rank 0 sends to rank 1, tag 0, and waits until it receives",
          "rank 1 sends to rank 0, tag 0, and waits until it receives",
        ]
      ),
      ("deadlock in a collective", 3, ["rank 0 receives from rank 2, tag 7", "waits for rank"]),
      (
        "deadlock of threads", 2,
        ["(and 1 more of its calls wait)", "rank 1 receives from rank 0, any tag"]
      ),
    ])
  func aDeadlockIsTold(name: String, ranks: Int, lines: [String]) async throws {
    let run = try await launch(ranks, "MessageScenarios", name)
    #expect(!run.timedOut && run.status == .exited(0) && through(run).count == ranks, "\(run.errors)")
    for rank in 0..<ranks { #expect(run.output.contains("rank \(rank): deadlock: every rank waits")) }
    for line in lines { #expect(run.output.contains(line), "\(run.output)") }
  }

  #if DEBUG
    /// The same where tasks await: once Dispatch's workers have gone, which takes some seconds.
    @Test(
      arguments: [
        ("awaited deadlock in a ring", 2, ["rank 0 receives from rank 1, tag 5"]),
        ("awaited deadlock in a ring", 1, ["rank 0 receives from rank 0, tag 5"]),
        (
          "awaited deadlock of sends", 3,
          ["rank 2 sends to rank 0, tag 0, and waits until it receives (and 1 more of its calls wait)"]
        ),
        ("awaited deadlock in a collective", 3, ["rank 0 receives from rank 2, tag 7", "waits for rank"]),
      ])
    func anAwaitedDeadlockIsTold(name: String, ranks: Int, lines: [String]) async throws {
      let run = try await launch(ranks, "MessageScenarios", name, environment: ["APUS_PATIENCE=500"])
      #expect(!run.timedOut && run.status == .exited(0) && through(run).count == ranks, "\(run.errors)")
      for rank in 0..<ranks { #expect(run.output.contains("rank \(rank): deadlock: every rank waits")) }
      for line in lines { #expect(run.output.contains(line), "\(run.output)") }
    }

    /// Nobody is told while a timer, a descriptor or a thread may wake a task.
    @Test(arguments: [
      "awaited sleep", "awaited short sleep", "awaited descriptor", "awaited thread", "awaited work",
    ])
    func whatMayWakeATaskIsWaitedFor(name: String) async throws {
      let run = try await launch(2, "MessageScenarios", name, environment: ["APUS_PATIENCE=500"])
      #expect(!run.timedOut && run.status == .exited(0) && through(run).count == 2, "\(run.errors)")
    }
  #endif

  /// Nobody is told who has only to be patient.
  @Test(arguments: ["patience", "another thread", "a task on its way"])
  func whatIsNoDeadlockIsNotTold(name: String) async throws {
    let run = try await launch(2, "MessageScenarios", name)
    #expect(!run.timedOut && run.status == .exited(0) && through(run).count == 2, "\(run.errors)")
  }

  /// Without a launcher, a program is a world of one.
  @Test(arguments: scenarios + ["self"])
  func alone(name: String) async throws {
    let program = programFolder + "/MessageScenarios"
    let run = try await runProgram(program, [program, name])
    #expect(!run.timedOut && run.status == .exited(0), "\(run.errors)")
    #expect(run.output == "rank 0 is through\n")
  }

  /// Whatever the others wait for, they hear who is dead, and end by themselves.
  @Test(arguments: [2, 3, 4, 7], ["killed", "killed while polled", "killed while polled later"])
  func aRankIsKilled(ranks: Int, name: String) async throws {
    let run = try await launch(ranks, "MessageScenarios", name)
    #expect(run.status == .exited(137))
    #expect(
      run.output.split(separator: "\n").sorted()
        == (0..<ranks - 1).map { "rank \($0) threw rankFailed of rank \(ranks - 1)" })
    #expect(run.errors.contains("rank \(ranks - 1) (process "))
  }

  @Test(arguments: ["sender killed while copying", "receiver killed while copying"])
  func aRankIsKilledInTheMiddle(name: String) async throws {
    for _ in 0..<6 {
      let run = try await launch(2, "MessageScenarios", name)
      #expect(run.status == .exited(137))
      #expect(run.output == "rank 0 threw rankFailed of rank 1\n", "\(run.errors)")
    }
  }

  /// Another thread of it may end the program, and say that all is well: in the middle of a call it is not.
  @Test(arguments: ["sender ends while copying", "receiver ends while copying"])
  func aRankEndsInTheMiddle(name: String) async throws {
    var timesInTheMiddle = 0
    for _ in 0..<6 {
      let run = try await launch(2, "MessageScenarios", name)
      let isInTheMiddle = run.errors.contains("rank 1 can't end its part in good order")
      #expect(!run.timedOut && run.status == .exited(isInTheMiddle ? 1 : 3), "\(run.errors)")
      let code = isInTheMiddle ? "rankFailed" : "rankEnded"
      #expect(run.output == "rank 0 threw \(code) of rank 1\n", "\(run.errors)")
      timesInTheMiddle += isInTheMiddle ? 1 : 0
    }
    // The receiver does something between its calls; the sender is hardly ever in none.
    if name.hasPrefix("sender") { #expect(timesInTheMiddle > 0) }
  }

  @Test func aRankThatHasEndedIsNotWaitedFor() async throws {
    let run = try await launch(3, "MessageScenarios", "ended")
    #expect(run.status == .exited(0), "\(run.errors)")
    #expect(run.output.contains("last words\n") && through(run).count == 3)
  }

  @Test(arguments: ["receiver ended", "things left behind", "polls"])
  func twoRanks(name: String) async throws {
    let run = try await launch(2, "MessageScenarios", name)
    #expect(!run.timedOut && run.status == .exited(0) && through(run).count == 2, "\(run.errors)")
  }

  @Test func waitingForOneself() async throws {
    let run = try await launch(2, "MessageScenarios", "self")
    #expect(run.status == .exited(0) && through(run).count == 2, "\(run.errors)")
  }

  @Test func abortEndsAllWithItsStatus() async throws {
    let run = try await launch(3, "MessageScenarios", "abort")
    #expect(run.status == .exited(7) && through(run) == [])
  }

  /// A receive that is blocked for a second takes next to no processor time.
  @Test func waitingIsFree() async throws {
    let run = try await launch(2, "MessageScenarios", "blocked")
    let line = try #require(run.output.split(separator: "\n").first { $0.hasPrefix("blocked ") })
    let milliseconds = try #require(Int(line.dropFirst(8)))
    #expect(milliseconds < 100, "\(milliseconds) ms")
  }

  #if DEBUG
    @Test func ranksThatCallDifferentCollectivesAreTold() async throws {
      let run = try await launch(3, "MessageScenarios", "different collectives")
      #expect(run.status == .exited(0), "\(run.errors)")
      for rank in 0..<3 { #expect(run.output.contains("rank \(rank): invalidArgument: rank \(rank) calls ")) }
    }

    @Test func ranksThatReduceByDifferentOperatorsAreTold() async throws {
      let run = try await launch(2, "MessageScenarios", "different operators")
      #expect(run.status == .exited(0), "\(run.errors)")
      let text = "rank 1 calls allReduce (Swift.Int, max) while rank 0 calls allReduce (Swift.Int, sum)"
      #expect(run.output.contains(text), "\(run.output)")
    }
  #endif

  // MARK: MPI

  @Suite(.serialized) struct MPICommunicatorTests {
    @Test(arguments: MPISetup.present, [1, 2, 3, 4])
    func scenarios(setup: MPISetup, ranks: Int) async throws {
      try await setup.play(["self"] + CommunicatorTests.scenarios, ranks: ranks)
    }

    /// What one rank gives up, the others hear of, whatever of the library's they might be in; and all goes on.
    @Test(
      arguments: MPISetup.present,
      [("given up", [2, 3, 4, 8]), ("given up, and waiting", [3, 4]), ("given up at the end", [2, 3])])
    func givenUp(setup: MPISetup, case: (name: String, sizes: [Int])) async throws {
      for ranks in `case`.sizes { try await setup.play(`case`.name, ranks: ranks) }
    }

    /// With a small stack, and without the single copy with which a payload is there as soon as its header.
    @Test(arguments: MPISetup.present)
    func manyStartedReceives(setup: MPISetup) async throws {
      let command = "ulimit -s 1024; exec \(programFolder)/MessageScenarios 'many started receives'"
      let job = try await setup.run(
        ranks: 2, command: ["/bin/sh", "-c", command],
        environment: [
          "OMPI_MCA_btl_vader_single_copy_mechanism=none", "OMPI_MCA_btl_sm_single_copy_mechanism=none",
        ])
      #expect(job.status == .exited(0), "\(job.output)")
    }

    /// A rank that dies ends the job, as MPI has it; so does one that throws or ends with an error.
    @Test(arguments: MPISetup.present, ["killed", "abort"])
    func aFailureEndsTheJob(setup: MPISetup, name: String) async throws {
      let job = try await setup.run(ranks: 2, command: [programFolder + "/MessageScenarios", name])
      #expect(job.status != .exited(0) && job.status != .exited(124), "\(job.output)")
      #expect(!job.output.contains("is through"))
    }

    @Test(arguments: MPISetup.present, [1, 2, 4])
    func ring(setup: MPISetup, ranks: Int) async throws {
      let job = try await setup.run(ranks: ranks, command: [programFolder + "/Ring"])
      let said =
        "Processor 0 received message \"\(CommunicatorTests.ring[ranks - 1])\" from rank \(ranks - 1)\n"
      #expect(job.status == .exited(0) && job.output.contains(said), "\(job.output)")
    }

    @Test(arguments: MPISetup.present, [2])
    func otherExamples(setup: MPISetup, ranks: Int) async throws {
      let picture = "/tmp/apus-plate-\(getpid())-mpi.pgm"
      defer { unlink(picture) }
      for (name, argument, said) in [
        ("MonteCarloPi", "100000", "pi is about 3.1"), ("MasterWorkers", "", "171 takes longest: 124 steps"),
        ("DistributedSort", "20000", "20000 values on \(ranks) ranks: sorted"),
        ("HeatEquation", picture, "mean temperature 8.20"),
      ] {
        let job = try await setup.run(
          ranks: ranks, command: [programFolder + "/\(name)", argument])
        #expect(job.status == .exited(0) && job.output.contains(said), "\(name): \(job.output)")
      }
    }
  }

  // MARK: Examples

  static let ring = ["P0", "P0P1", "", "P0P1P2P3"]

  @Test(arguments: [1, 2, 4]) func ring(ranks: Int) async throws {
    let run = try await launch(ranks, "Ring")
    let expected = "Processor 0 received message \"\(Self.ring[ranks - 1])\" from rank \(ranks - 1)\n"
    #expect(run.status == .exited(0) && run.output == expected, "\(run.errors)")
  }

  @Test(arguments: [1, 2, 4]) func monteCarloPi(ranks: Int) async throws {
    let run = try await launch(ranks, "MonteCarloPi", "200000")
    #expect(
      run.status == .exited(0) && run.output.hasPrefix("pi is about 3.1"), "\(run.output) \(run.errors)")
  }

  @Test(arguments: [1, 2, 4]) func masterWorkers(ranks: Int) async throws {
    let run = try await launch(ranks, "MasterWorkers")
    #expect(run.output == "200 answers; 171 takes longest: 124 steps\n", "\(run.errors)")
  }

  @Test(arguments: [1, 2, 4]) func heatEquation(ranks: Int) async throws {
    let picture = "/tmp/apus-plate-\(getpid())-\(ranks).pgm"
    defer { unlink(picture) }
    let run = try await launch(ranks, "HeatEquation", picture)
    #expect(run.output == "after 2000 steps on \(ranks) ranks: mean temperature 8.20; \(picture) shows it\n")
    var status = stat()
    #expect(stat(picture, &status) == 0 && status.st_size == 15 + 256 * 256)
  }

  @Test func ranksInside() async throws {
    let program = programFolder + "/RanksInside"
    let run = try await runProgram(program, [program], environment: ["SWIFT_BACKTRACE=enable=no"])
    #expect(run.status == .exited(0), "\(run.errors)")
    let lines = run.output.split(separator: "\n").map { String($0) }
    #expect(lines.first?.hasPrefix("pi is about 3.14159265") == true, "\(run.output)")
    #expect(
      lines.dropFirst() == ["rank 0: rankFailed of rank 1", "rank 1: rankFailed of rank 1", "rank 2: 42"])
  }

  @Test(arguments: [1, 2, 4]) func distributedSort(ranks: Int) async throws {
    let run = try await launch(ranks, "DistributedSort", "50000")
    #expect(run.output == "50000 values on \(ranks) ranks: sorted\n", "\(run.errors)")
  }
}

import ApusSystem
import ApusMessages
import Glibc
import TestSupport
import Testing

struct Mistake: Error, Codable, Equatable, Sendable { var number: Int }
private struct Opaque: Sendable { var number = 0 }
private struct Hidden: Codable, Sendable, Equatable { var number: Int }

enum RankWork {
  static func sum(_ world: Communicator) throws -> Int { try world.allReduce(world.rank + 1, .sum) }
  static let fortyTwo = 42
}

/// Anybody's own function around a rank function.
private func firstValue<Value: Sendable>(_ count: Int, _ function: RankFunction<Value>) async throws -> Value
{
  try await withRanks(count, function)[0].get()
}

extension LaunchTests {
  @Suite struct WithRanksTests {
    // MARK: Forms

    @Test(arguments: [1, 2, 4])
    func eachRankGivesItsResultInOrder(count: Int) async throws {
      let results = try await withRanks(count) { world in [world.rank, world.size] }
      #expect(try results.map { try $0.get() } == (0..<count).map { [$0, count] })
    }

    @Test func ranksTalk() async throws {
      let texts = try await withRanks(4) { world -> String in
        try world.send("from \(world.rank)", to: (world.rank + 1) % world.size)
        return try world.receive(String.self, from: .any)
      }
      #expect(try texts.map { try $0.get() } == ["from 3", "from 0", "from 1", "from 2"])
    }

    @Test func aNamedFunctionAndGlobals() async throws {
      #expect(try await withRanks(3, RankWork.sum).map { try $0.get() } == [6, 6, 6])
      #expect(try await withRanks(1) { _ in RankWork.fortyTwo }[0].get() == 42)
    }

    @Test func aBodyThatAwaits() async throws {
      let results = try await withRanks(2) { world async throws -> Int in
        let onMain = await MainActor.run { pthread_self() != 0 }
        async let received = world.receive(Int.self, from: 1 - world.rank)
        try await world.send(world.rank + (onMain ? 10 : 0), to: 1 - world.rank)
        return try await received
      }
      #expect(try results.map { try $0.get() } == [11, 10])
    }

    @Test func aValueForAll() async throws {
      let table = (0..<100_000).map(Double.init)
      let sums = try await withRanks(2, with: table) { table, world in
        table.reduce(0, +) + Double(world.rank)
      }
      #expect(try sums.map { try $0.get() } == [4_999_950_000, 4_999_950_001])
      let awaited = try await withRanks(2, with: Hidden(number: 3)) { hidden, world async in
        await Task.yield()
        return Hidden(number: hidden.number + world.rank)
      }
      #expect(try awaited.map { try $0.get() } == [Hidden(number: 3), Hidden(number: 4)])
    }

    @Test func blockingForms() throws {
      #expect(try withRanks(2, RankWork.sum).map { try $0.get() } == [3, 3])
      #expect(try withRanks(2, with: 5) { five, world in five * world.rank }.map { try $0.get() } == [0, 5])
      let awaited = try withRanks(2) { world async throws -> Int in
        try await world.send(world.rank, to: world.rank)
        return try await world.receive(Int.self, from: world.rank)
      }
      #expect(try awaited.map { try $0.get() } == [0, 1])
    }

    @Test func aFunctionThatIsHandedOn() async throws {
      #expect(try await firstValue(2, RankFunction { world in try RankWork.sum(world) }) == 3)
      let stored = RankFunction(with: 7) { seven, world in seven + world.size }
      #expect(try await firstValue(3, stored) == 10)
    }

    @Test func nothingIsAResultToo() async throws {
      let results = try await withRanks(2) { world in try world.barrier() }
      #expect(results.count == 2)
      for result in results { #expect(throws: Never.self) { try result.get() } }
    }

    @Test func aLargeResult() async throws {
      let results = try await withRanks(2) { world in [UInt8](repeating: UInt8(world.rank), count: 40_000_000)
      }
      for (rank, result) in results.enumerated() {
        let bytes = try result.get()
        #expect(bytes.count == 40_000_000 && bytes.allSatisfy { $0 == UInt8(rank) })
      }
    }

    @Test func severalAtTheSameTime() async throws {
      try await withThrowingTaskGroup(of: [Int].self) { group in
        for _ in 0..<4 { group.addTask { try await withRanks(3, RankWork.sum).map { try $0.get() } } }
        for try await sums in group { #expect(sums == [6, 6, 6]) }
      }
    }

    @Test func insideOfRanks() async throws {
      let sums = try await withRanks(2) { world in
        try withRanks(2, RankWork.sum).reduce(world.rank) { try $0 + $1.get() }
      }
      #expect(try sums.map { try $0.get() } == [6, 7])
    }

    // MARK: Failures

    @Test func anErrorIsItsRanksOwnAndNamedToTheOthers() async throws {
      let results = try await withRanks(3) { world -> Int in
        if world.rank == 1 { throw Mistake(number: 5) }
        return try world.receive(Int.self, from: 1)
      }
      let own = try #require(results[1].error)
      #expect(own.code == .thrown && own.rank == 1 && own.underlyingError as? Mistake == Mistake(number: 5))
      for rank in [0, 2] {
        let error = try #require(results[rank].error)
        #expect(error.code == .rankFailed && error.rank == 1, "\(error)")
      }
    }

    @Test(arguments: [SIGKILL, SIGSEGV, SIGTERM])
    func aSignal(number: Int32) async throws {
      let results = try await withRanks(2, with: number) { number, world -> Int in
        if world.rank == 1 {
          signal(number, SIG_DFL)
          _ = write(2, "my last words\n", 14)
          raise(number)
        }
        return try world.receive(Int.self, from: 1)
      }
      let own = try #require(results[1].error)
      #expect(own.code == .rankFailed && own.rank == 1 && own.process != nil)
      guard case .signalled(number, _) = own.status else {
        Issue.record("\(own)")
        return
      }
      #expect(own.standardError == "my last words\n" && own.description.contains("| my last words"))
      #expect(results[0].error?.code == .rankFailed && results[0].error?.rank == 1)
    }

    /// One has its value by then, one hangs, and one waits for it.
    @Test(arguments: [false, true]) func aTimeLimit(blocks: Bool) async throws {
      let body = RankFunction { world -> Int in
        switch world.rank {
        case 0: return 7
        case 1:
          _ = write(2, "at it\n", 6)
          signal(SIGTERM, SIG_IGN)
          while true { sleep(1) }
        default: return try world.receive(Int.self, from: 1)
        }
      }
      let limit = Duration.seconds(1)
      func blocking() throws -> [Result<Int, MessageError>] { try withRanks(3, timeLimit: limit, body) }
      let results = blocks ? try blocking() : try await withRanks(3, timeLimit: limit, body)
      #expect(try results[0].get() == 7)
      for rank in 1...2 {
        let error = try #require(results[rank].error)
        #expect(error.code == .timeLimitExceeded && error.rank == rank, "\(error)")
        #expect(error.message.contains("1.0 seconds"))
      }
      #expect(results[1].error?.standardError == "at it\n")
      #expect(
        try await withRanks(2, timeLimit: .seconds(10_000_000_000), RankWork.sum).map { try $0.get() } == [
          3, 3,
        ])
      let refused = try #require(throws: MessageError.self) { try withRanksBlocking(.zero) }
      #expect(refused.code == .invalidArgument)
    }

    private func withRanksBlocking(_ limit: Duration) throws -> [Result<Int, MessageError>] {
      try withRanks(2, timeLimit: limit, RankWork.sum)
    }

    @Test func aTrap() async throws {
      // Not an index out of range: what has been optimised has no words for that.
      let results = try await withRanks(2, with: [1, 2]) { numbers, world -> Int in
        if world.rank == 1 { fatalError("this rank had a mishap") }
        return numbers[0]
      }
      #expect(try results[0].get() == 1)
      let error = try #require(results[1].error)
      #expect(error.code == .rankFailed && error.standardError.contains("had a mishap"), "\(error)")
    }

    @Test(arguments: [0, 3])
    func anExitFromABody(status: Int32) async throws {
      let results = try await withRanks(2, with: status) { status, world -> Int in
        if world.rank == 0 { exit(status) }
        return try world.receive(Int.self, from: 0)
      }
      #expect(results[0].error?.code == .rankFailed && results[0].error?.status == .exited(status))
      #expect(results[1].error?.code == (status == 0 ? .rankEnded : .rankFailed), "\(results[1])")
    }

    @Test func abortEndsAll() async throws {
      let results = try await withRanks(2) { world -> Int in
        if world.rank == 1 { world.abort(9) }
        while true { pause() }
      }
      #expect(results[1].error?.status == .exited(9))
      #expect(results[0].error?.message.contains("because rank 1 had ended the job") == true, "\(results[0])")
    }

    /// What does not wait for the dead is done.
    @Test func theOthersGoOn() async throws {
      let results = try await withRanks(3) { world -> Int in
        if world.rank == 2 { raise(SIGKILL) }
        usleep(300_000)
        return world.rank
      }
      #expect(try results[0].get() == 0 && results[1].get() == 1)
      #expect(results[2].error?.status == .signalled(SIGKILL, coreDumped: false))
    }

    // MARK: Refused

    @Test func whatCannotBeNamedIsRefused() async throws {
      let captured = Int.random(in: 0...9)
      let error = await #expect(throws: MessageError.self) {
        try await withRanks(2) { world in world.rank + captured }
      }
      #expect(error?.code == .functionNotNameable && error?.message.contains("`with:`") == true)
      let opaque = await #expect(throws: MessageError.self) { try await withRanks(2) { _ in Opaque() } }
      #expect(opaque?.code == .functionNotNameable && opaque?.message.contains("Codable") == true)
    }

    @Test(arguments: [0, -1, 257, .max])
    func aCountThatMakesNoSense(count: Int) async throws {
      let error = await #expect(throws: MessageError.self) { try await withRanks(count, RankWork.sum) }
      #expect(error?.code == .invalidArgument)
    }

    // MARK: Ends

    @Test func cancellation() async throws {
      let task = Task {
        try await withRanks(2) { world -> Int in
          signal(SIGTERM, SIG_IGN)
          while true { pause() }
        }
      }
      try await Task.sleep(for: .milliseconds(200))
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func linesAreWholeAndInputIsAtItsEnd() async throws {
      let run = try await runProgram(ranks, [ranks, "with ranks", "print"], input: "not for ranks\n")
      let lines = run.output.split(separator: "\n").map(String.init)
      #expect(run.status == .exited(0), "\(run.errors)")
      #expect(
        lines.count == 801 && lines.filter { $0.hasSuffix(String(repeating: "x", count: 200)) }.count == 800)
      #expect(lines.last == "input: 0 0")
    }

    @Test(arguments: ["wait", "stop", "nested", "descendants"])
    func nothingIsLeftWhenTheProgramIsKilled(what: String) async throws {
      let mark = Mark()
      let child = try Spawner.spawn(
        SpawnRequest(
          path: ranks, arguments: [ranks, "with ranks", what],
          environment: SpawnRequest.ownEnvironment + [ByteString(mark.entry)]))
      let expected = ["wait": 3, "stop": 3, "nested": 5, "descendants": 5][what]!
      #expect(await eventually { mark.processes.count == expected })
      child.signal(SIGKILL)
      #expect(child.wait() == .signalled(SIGKILL, coreDumped: false))
      #expect(await mark.left() == [])
    }
  }
}

extension Result {
  fileprivate var error: Failure? {
    if case .failure(let error) = self { error } else { nil }
  }
}

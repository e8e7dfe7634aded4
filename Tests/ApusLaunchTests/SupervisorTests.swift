import ApusSystem
@testable import ApusMessages
import CApus
import Glibc
import Synchronization
import TestSupport
import Testing

extension LaunchTests {
  /// The supervisor as a part of another program.
  @Suite struct SupervisorTests {
    @Test func whatItReports() async throws {
      let (events, outcome) = try await supervise([ranks, "join"], count: 2)
      for rank in 0..<2 {
        let own = events.filter { $0.rank == rank }.map(\.name)
        #expect(own == ["started", "joined", "finalized", "ended"])
      }
      #expect(outcome.statuses == [.exited(0), .exited(0)])
      #expect(outcome.exitCode == 0 && outcome.failure == nil && outcome.failures == 0)
    }

    /// The failure comes before the others are ended, and with the end of what was printed.
    @Test func aFailure() async throws {
      let (events, outcome) = try await supervise(
        [ranks, "exit", "1", "3"], count: 3, grace: .milliseconds(10))
      let first = try #require(events.firstIndex { $0.name == "failed" })
      #expect(events[first].rank == 1)
      #expect(!events[..<first].contains { $0.name == "ended" })
      let failure = try #require(outcome.failure)
      #expect(failure.rank == 1 && failure.reason == .status(.exited(3)))
      #expect(failure.standardError == "I fail\n")
      #expect(outcome.ended == [0, 2] && outcome.failures == 3)
      #expect(outcome.exitCode == 3)
    }

    /// Peers reach into each other's memory by process numbers: none is free for another process before they are told.
    @Test func aFailureIsToldBeforeTheProcessIsReaped() async throws {
      let isThere = Locked(false)
      _ = try await supervise([ranks, "exit", "0", "3"], count: 1) { event in
        guard case .failed(let failure) = event else { return }
        isThere.withLock { $0 = kill(failure.process, 0) == 0 }
      }
      #expect(isThere.withLock { $0 })
    }

    /// A rank behind a shell is reaped by that: from the end of its connection on nobody uses its number.
    @Test func aLostConnectionIsToldAtOnce() async throws {
      let (events, _) = try await supervise(["/bin/sh", "-c", "\(ranks) exit 0 3; sleep 0.2"], count: 1)
      #expect(events.map(\.name) == ["started", "joined", "disconnected", "failed", "ended"])
      let descriptor = try LocalMemory.make(ranks: 2)
      let memory = try LocalMemory(descriptor.number, ranks: 2)
      memory.rank(1).process.pointee.store(UInt64(getpid()), ordering: .releasing)
      memory.forgetProcess(rank: 1)
      let process = Int32(truncatingIfNeeded: memory.rank(1).process.pointee.load(ordering: .acquiring))
      var byte: UInt8 = 0
      let address = withUnsafePointer(to: &byte) { UInt64(UInt(bitPattern: $0)) }
      #expect(apus_memory_write_to(process, address, &byte, 1) == ESRCH)
    }

    /// Who joined is named, not the shell around it.
    @Test func aFailureBehindAShell() async throws {
      let (events, outcome) = try await supervise(["/bin/sh", "-c", "\(ranks) exit 0 3"], count: 1)
      let joined = try #require(events.first { $0.name == "joined" })
      #expect(outcome.failure?.process == joined.process)
      #expect(outcome.failure?.reason == .status(.exited(3)))
    }

    @Test func aProgramThatCannotBeStarted() async throws {
      let error = await #expect(throws: LaunchError.self) { try await supervise(["/no/such"], count: 2) }
      #expect(error?.cause?.code == .notFound)
    }

    @Test(arguments: [0, -1, 257, .max])
    func aCountThatMakesNoSense(count: Int) async throws {
      let error = await #expect(throws: LaunchError.self) { try await supervise(["/bin/true"], count: count) }
      #expect(error?.code == .badCount)
    }

    @Test func aSignalFromTheProgram() async throws {
      let memory = try LocalMemory.make(ranks: 2)
      var options = RankOptions()
      (options.output, options.errors, options.grace) = (.discarded, .discarded, .seconds(100))
      let supervisor = try RankSupervisor(
        SpawnRequest(path: ranks, arguments: [ranks, "wait"]), ranks: 2, memory: memory,
        options: options)
      // Before there are any, too.
      supervisor.forward(SIGTERM)
      let outcome = try await onThread { try supervisor.run() }
      #expect(outcome.signal == SIGTERM && outcome.failure == nil && outcome.ended == [])
    }

    /// Runs ranks with no output of theirs in ours.
    private func supervise(
      _ arguments: [String], count: Int, grace: Duration = .seconds(100),
      _ see: @escaping @Sendable (RankEvent) -> Void = { _ in }
    ) async throws -> (events: [RankEvent], outcome: RankOutcome) {
      let memory = try LocalMemory.make(ranks: 2)
      var options = RankOptions()
      (options.output, options.errors, options.grace) = (.discarded, .discarded, grace)
      options.forwardsInput = false
      let supervisor = try RankSupervisor(
        SpawnRequest(path: arguments[0], arguments: arguments), ranks: count, memory: memory,
        options: options)
      return try await onThread {
        var events: [RankEvent] = []
        let outcome = try supervisor.run {
          see($0)
          events.append($0)
        }
        return (events, outcome)
      }
    }

    private func onThread<Value: Sendable>(
      _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
      try await withUnsafeThrowingContinuation { continuation in
        do {
          try NativeThread.start(name: "supervisor") { continuation.resume(with: Result { try body() }) }
        } catch { continuation.resume(throwing: error) }
      }
    }
  }
}

extension RankEvent {
  fileprivate var name: String {
    switch self {
    case .started: "started"
    case .joined: "joined"
    case .returned: "returned"
    case .finalized: "finalized"
    case .disconnected: "disconnected"
    case .failed: "failed"
    case .ended: "ended"
    }
  }

  fileprivate var rank: Int {
    switch self {
    case .started(let rank, _), .joined(let rank, _), .returned(let rank, _), .finalized(let rank),
      .disconnected(let rank), .ended(let rank, _):
      rank
    case .failed(let failure): failure.rank
    }
  }

  fileprivate var process: Int32? {
    switch self {
    case .started(_, let process), .joined(_, let process): process
    case .failed(let failure): failure.process
    case .returned, .finalized, .disconnected, .ended: nil
    }
  }
}

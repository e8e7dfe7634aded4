import ApusProcesses
import ApusSystem
import Apus
import Glibc
import Testing

/// A way in which a process ends in the middle of a task.
enum Ending: Int, CaseIterable, Codable, Sendable {
  case trap, bounds, overflow, exit0, exit3, abort, segmentationFault, kill, terminate

  func happen() {
    switch self {
    case .trap: fatalError("the seventh seal")
    case .bounds:
      let empty: [Int] = Array("".utf8).map(Int.init)
      print(empty[3])
    case .overflow: print(UInt8.max + UInt8(getpid() == 0 ? 0 : 1))
    case .exit0: exit(0)
    case .exit3: exit(3)
    case .abort: Glibc.abort()
    case .segmentationFault: UnsafeMutablePointer<Int>(bitPattern: 16)!.pointee = 1
    case .kill: raise(SIGKILL)
    case .terminate: raise(SIGTERM)
    }
  }

  /// The statuses with which it can end; traps are SIGILL or SIGTRAP, by the processor and the compiler.
  var statuses: [ExitStatus] {
    let trap = [ExitStatus.signalled(SIGILL, coreDumped: false), .signalled(SIGTRAP, coreDumped: false)]
    switch self {
    case .trap, .bounds, .overflow: return trap
    case .exit0: return [.exited(0)]
    case .exit3: return [.exited(3)]
    case .abort: return [.signalled(SIGABRT, coreDumped: false)]
    case .segmentationFault: return [.signalled(SIGSEGV, coreDumped: false)]
    case .kill: return [.signalled(SIGKILL, coreDumped: false)]
    case .terminate: return [.signalled(SIGTERM, coreDumped: false)]
    }
  }

  /// What Swift says on standard error. An optimised program says nothing of what it checks itself.
  var message: String? {
    if self == .trap { return "the seventh seal" }
    #if DEBUG
      if self == .bounds { return "Index out of range" }
    #endif
    return nil
  }
}

extension ProcessPoolTests {
  @Suite struct CrashTests {
    @Test(arguments: Ending.allCases)
    func aCrashIsOneTasksError(ending: Ending) async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let before = pool.processIdentifiers
        let outcomes = await pool.outcomes(of: 0..<40, with: ending) { (ending, n: Int) in
          if n == 17 { ending.happen() }
          return n
        }
        #expect(outcomes.count == 40)
        for (index, outcome) in outcomes.enumerated() where index != 17 {
          #expect(try outcome.get() == index)
        }
        let error = try #require(throws: TaskError.self) { try outcomes[17].get() }
        #expect(error.code == .workerDied)
        #expect(error.task == 17)
        #expect(before.contains(try #require(error.process)))
        #expect(ending.statuses.contains(withoutCore(try #require(error.status))))
        if let message = ending.message {
          #expect(error.standardError.contains(message))
          #expect(error.description.contains(message))
        }
        #expect(error.description.hasPrefix("task 17: "))

        // Another has taken the place of the dead worker.
        #expect(await eventually { pool.processIdentifiers.count == 2 })
        #expect(!pool.processIdentifiers.contains(error.process!))
        #expect(try await pool.map(0..<100, double) == (0..<100).map { 2 * $0 })
      }
    }

    /// Each task runs once: those that a dead worker had not begun go elsewhere, no other is run again.
    @Test func everyTaskRunsOnce() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 2) { (pool) async throws in
        let outcomes = await pool.outcomes(of: 0..<300, with: marks, chunking: .fixed(20)) {
          (marks, n: Int) in
          marks.set("ran", "\(n)")
          if n % 50 == 25 { raise(SIGKILL) }
          return n
        }
        #expect(outcomes.indices.filter { (try? outcomes[$0].get()) == nil } == [25, 75, 125, 175, 225, 275])
        #expect(marks.lines("ran").compactMap { Int($0) }.sorted() == Array(0..<300))
      }
    }

    @Test func mapThrowsIt() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) {
          try await pool.map(0..<10) { (n: Int) -> Int in n == 5 ? leave(9) : n }
        }
        #expect(error?.code == .workerDied && error?.task == 5 && error?.status == .exited(9))
        let single = await #expect(throws: TaskError.self) {
          try await pool.run(1) { (_: Int) -> Int in exit(8) }
        }
        #expect(single?.code == .workerDied && single?.status == .exited(8))
      }
    }

    @Test func anAsynchronousBodyMayCrashToo() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let outcomes = await pool.outcomes(of: 0..<10) { (n: Int) async -> Int in
          await Task.yield()
          if n == 4 { fatalError("in a task") }
          return n
        }
        let error = try #require(throws: TaskError.self) { try outcomes[4].get() }
        #expect(error.code == .workerDied)
        #expect(error.standardError.contains("in a task"))
        #expect(outcomes.filter { (try? $0.get()) != nil }.count == 9)
      }
    }

    @Test func onlyTheEndOfALongErrorOutputIsKept() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) {
          try await pool.run(0) { (_: Int) -> Int in
            for line in 0..<5000 { printError("line \(line)") }
            exit(1)
          }
        }
        let text = try #require(error?.standardError)
        #expect(text.hasSuffix("line 4999\n") && text.utf8.count <= 8192)
      }
    }

    /// An idle worker that dies costs nothing: no task fails.
    @Test func idleWorkersMayDie() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        #expect(try await pool.map(0..<10, double).count == 10)
        let before = Set(pool.processIdentifiers)
        for process in before { kill(process, SIGKILL) }
        #expect(try await pool.map(0..<1000, double) == (0..<1000).map { 2 * $0 })
        #expect(await eventually { pool.processIdentifiers.count == 2 })
        #expect(before.isDisjoint(with: pool.processIdentifiers))
      }
    }

    /// What a task started ends with its worker.
    @Test func theChildrenOfATaskEndWithItsWorker() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      try await withProcessPool(workers: 1) { (pool) async throws in
        _ = try? await pool.run(0, with: marks) { (marks, _: Int) -> Int in
          let request = SpawnRequest(
            path: "/bin/sleep", arguments: ["sleep", "1000"], newProcessGroup: false, diesWithParent: false)
          marks.set("child", "\(try Spawner.spawn(request).pid)")
          exit(1)
        }
        let child = try #require(marks.lines("child").first.flatMap { Int32($0) })
        #expect(await eventually { hasEnded(child) })
      }
    }

    private func withoutCore(_ status: ExitStatus) -> ExitStatus {
      if case .signalled(let signal, _) = status { return .signalled(signal, coreDumped: false) }
      return status
    }

    /// Nothing can be known of a stopped worker but that it does not begin what it was given: another takes it over.
    @Test func aStoppedIdleWorkerHoldsNothingUp() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        _ = try await pool.map(0..<100, double)
        let stopped = pool.processIdentifiers[0]
        kill(stopped, SIGSTOP)
        for n in 0..<20 { #expect(try await pool.run(n, double) == 2 * n) }
        #expect(try await pool.map(0..<1000, double) == (0..<1000).map { 2 * $0 })
        func blocking() throws -> Int { try pool.run(7, double) }
        #expect(try blocking() == 14)
        kill(stopped, SIGCONT)
        #expect(try await pool.map(0..<1000, double) == (0..<1000).map { 2 * $0 })
        #expect(pool.processIdentifiers.contains(stopped))
      }
    }
  }
}

import Apus
import ApusSystem
import Glibc
import TestSupport
import Testing

/// Takes memory and writes to it, 1 MiB at a time.
private func take(_ mebibytes: Int, at pace: UInt32 = 0) -> UnsafeMutableRawPointer {
  let memory = mmap(nil, mebibytes << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
  for piece in 0..<mebibytes {
    memset(memory + piece << 20, 1, 1 << 20)
    if pace > 0 { usleep(pace) }
  }
  return memory
}

extension ProcessPoolTests {
  /// Workers that are replaced after so many tasks, and those that may hold only so much memory.
  @Suite(.serialized) struct WorkerLimitTests {
    @Test(arguments: [1, 2, 7, 1000]) func workersAreReplacedAfterSoManyTasks(limit: Int) async throws {
      var configuration = ProcessPool.Configuration()
      configuration.tasksPerWorker = limit
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        let count = min(300, 40 * limit)
        let processes = try await pool.map(0..<count, chunking: .fixed(3)) { _ in getpid() }
        var tasks: [Int32: Int] = [:]
        for process in processes { tasks[process, default: 0] += 1 }
        #expect(tasks.values.allSatisfy { $0 <= limit })
        let words = try await pool.map((0..<count).map(String.init)) { "\($0) of \(getpid())" }
        #expect(words.enumerated().allSatisfy { $1.hasPrefix("\($0) of ") })
        for number in 0..<min(50, 3 * limit) { #expect(try await pool.run(number, double) == 2 * number) }
        #expect(pool.statistics.restarts == 0)
      }
    }

    @Test func aReplacedWorkerCallsItsHooksAndKeepsItsNumber() async throws {
      let folder = TemporaryFolder()
      var configuration = ProcessPool.Configuration()
      configuration.tasksPerWorker = 5
      configuration.onWorkerStart(with: folder.marks) { marks in
        marks.set("started", "\(PoolTask.worker ?? -1)")
        Paths.folder.set(marks)
      }
      configuration.onWorkerExit { try Paths.folder.withValue { $0.set("ended", "\(getpid())") } }
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        let numbers = try await pool.map(0..<100, chunking: .fixed(1)) { _ in PoolTask.worker ?? -1 }
        #expect(Set(numbers) == [0, 1])
      }
      #expect(Set(folder.marks.lines("started")) == ["0", "1"])
      #expect(Set(folder.marks.lines("ended")).count >= 19)
    }

    /// A hook is no task.
    @Test func aHookDoesNotCountAsATask() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.tasksPerWorker = 1
      configuration.onWorkerStart { Paths.folder.set(Marks(path: "/")) }
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        #expect(Set(try await pool.map(0..<6, chunking: .fixed(1)) { _ in getpid() }).count == 6)
        for number in 0..<6 { #expect(try await pool.run(number, double) == 2 * number) }
      }
    }

    /// The successor that is ready takes the place of one that dies, also when there may be no more restarts, or as the pool
    /// ends.
    @Test func aSuccessorTakesThePlaceOfADeadWorker() async throws {
      var configuration = ProcessPool.Configuration()
      (configuration.tasksPerWorker, configuration.maximumRestarts, configuration.backtraces) = (10, 0, .off)
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        for number in 0..<9 { #expect(try await pool.run(number, double) == 2 * number) }
        #expect(await eventually { pool.processIdentifiers.count == 2 })
        usleep(50_000)  // it gets ready
        await #expect(throws: TaskError.self) { try await pool.run(3, leave) }
        for number in 0..<25 { #expect(try await pool.run(number, double) == 2 * number) }
      }
      configuration.tasksPerWorker = 1
      let pool = try ProcessPool(workers: 2, configuration: configuration)
      let handles = (0..<30).map { pool.submit($0, double) }
      await pool.shutdown(gracePeriod: .seconds(hung))
      for (number, handle) in handles.enumerated() { #expect(try await handle.value == 2 * number) }
    }

    /// Crashes in between: what a worker had not begun goes to others, and the numbers stay right.
    @Test func crashesAndReplacementsTogether() async throws {
      var configuration = ProcessPool.Configuration()
      (configuration.tasksPerWorker, configuration.backtraces) = (7, .off)
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        let outcomes = await pool.outcomes(of: 0..<400, chunking: .fixed(4)) { n in n % 20 == 7 ? leave(3) : n
        }
        for (index, outcome) in outcomes.enumerated() {
          if index % 20 == 7 {
            #expect(throws: TaskError.self) { try outcome.get() }
          } else {
            #expect(try outcome.get() == index)
          }
        }
        let statistics = pool.statistics
        #expect(statistics.submitted == 400 && statistics.succeeded == 380 && statistics.failed == 20)
        #expect(statistics.queued == 0 && statistics.running == 0)
      }
    }

    @Test(arguments: ["at once", "in small steps", "in a child", "in shared memory"])
    func aTaskThatTakesTooMuchIsItsError(way: String) async throws {
      var configuration = ProcessPool.Configuration()
      configuration.memoryLimit = 200 << 20
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        let neighbours = (0..<4).map { number in
          pool.submit(number) { n in
            usleep(300_000)
            return n
          }
        }
        let greedy = pool.submit(way) { way -> Int in
          switch way {
          case "at once": _ = take(2048)
          case "in small steps": _ = take(2048, at: 300)
          case "in shared memory":
            let memory = mmap(nil, 2048 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)!
            for piece in 0..<2048 { memset(memory + piece << 20, 1, 1 << 20) }
          default: try holdInChild(2048)
          }
          return 1
        }
        let error = try await #require(throws: TaskError.self) { try await greedy.value }
        #expect(error.code == .memoryLimitExceeded, "\(error)")
        #expect(error.message.contains("memory limit of 200 MiB"))
        for (number, neighbour) in neighbours.enumerated() { #expect(try await neighbour.value == number) }
      }
    }

    /// What no process holds, and what a process holds that the task has started and waits for: the kernel sees both.
    @Test(
      .enabled(if: MemoryGroup.isPossible), arguments: ["in a file of memory", "in a child that is killed"])
    func theKernelLimitsToo(way: String) async throws {
      var configuration = ProcessPool.Configuration()
      configuration.memoryLimit = 200 << 20
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        let neighbour = pool.submit(1) { n in
          usleep(300_000)
          return n
        }
        let error = try await #require(throws: TaskError.self) {
          try await pool.run(way) { way -> Int in
            if way == "in a file of memory" {
              let file = open("/dev/shm/apus-big-\(getpid())", O_RDWR | O_CREAT, 0o600)
              unlink("/dev/shm/apus-big-\(getpid())")
              let piece = [UInt8](repeating: 1, count: 1 << 20)
              for _ in 0..<1000 { _ = write(file, piece, piece.count) }
            } else {
              try holdInChild(2048)
              usleep(500_000)
            }
            return 1
          }
        }
        #expect(error.code == .memoryLimitExceeded && error.message.contains("200 MiB"), "\(error)")
        #expect(try await neighbour.value == 1)
        #expect(try await pool.map(0..<100, double) == (0..<100).map(double))
      }
      // What was killed with a worker may take a moment to be gone.
      #expect(
        await eventually {
          MemoryGroup.removeLeftovers()
          return MemoryGroup.ownNames.isEmpty
        })
    }

    /// A task whose process the kernel ends, unseen by us, and which returns at once: its value does not count.
    @Test(.enabled(if: MemoryGroup.isPossible), arguments: [false, true])
    func whoseProcessWasEndedHasNoValue(retriesAlone: Bool) async throws {
      var configuration = ProcessPool.Configuration()
      (configuration.memoryLimit, configuration.retriesAlone) = (200 << 20, retriesAlone)
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        for round in 0..<6 {
          let chunking: Chunking = round % 2 == 0 ? .fixed(1) : .fixed(10)
          let outcomes =
            round < 4
            ? await pool.outcomes(of: 0..<10, chunking: chunking, greedyInTheFifth)
            : await pool.outcomes(of: (0..<10).map(String.init), chunking: chunking) { text in
              try [greedyInTheFifth(Int(text)!)]
            }.map { outcome in outcome.map { $0[0] } }
          for (number, outcome) in outcomes.enumerated() where number != 5 {
            #expect(try outcome.get() == number)
          }
          if retriesAlone {
            // Alone it may have what both have, and is not ended: by nobody but itself.
            #expect(try outcomes[5].get() == 2)
          } else {
            let error = try #require(throws: TaskError.self) { try outcomes[5].get() }
            #expect(error.code == .memoryLimitExceeded, "\(error)")
          }
        }
        #expect(pool.statistics.failed == (retriesAlone ? 0 : 6))
        #expect(pool.statistics.queued == 0 && pool.statistics.running == 0)
      }
    }

    /// What a task leaves behind is not the next one's fault.
    @Test func aLeakIsNobodysError() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.memoryLimit = 200 << 20
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        for chunking in [Chunking.fixed(1), .fixed(4)] {
          let plain = try await pool.map(0..<12, chunking: chunking) { n in
            _ = take(120)
            return n
          }
          #expect(plain == Array(0..<12))
          let coded = try await pool.map((0..<12).map(String.init), chunking: chunking) { text in
            _ = take(120)
            return text
          }
          #expect(coded == (0..<12).map(String.init))
        }
        let statistics = pool.statistics
        #expect(statistics.recycled >= 40 && statistics.restarts == 0 && statistics.failed == 0)
      }
    }

    /// What the start hook has made is the worker's own.
    @Test func whatAHookHoldsIsKept() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.memoryLimit = 300 << 20
      configuration.onWorkerStart { Paths.model.set(take(200)) }
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        let processes = try await pool.map(0..<20, chunking: .fixed(1)) { _ -> Int32 in
          usleep(2000)
          return getpid()
        }
        #expect(Set(processes).count == 1)
      }
    }

    @Test func onceMoreAlone() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.memoryLimit = 150 << 20
      configuration.retriesAlone = true
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        let others = Task {
          try await pool.map(0..<200, chunking: .fixed(1)) { n in
            usleep(5000)
            return n
          }
        }
        let big = pool.submit(220) { mebibytes -> Int in
          let memory = take(mebibytes)
          usleep(300_000)  // it is seen
          munmap(memory, mebibytes << 20)
          return PoolTask.attempt
        }
        #expect(try await big.value == 2)
        let tooBig = pool.submit(2000) { mebibytes -> Int in
          _ = take(mebibytes)
          return 1
        }
        let error = try await #require(throws: TaskError.self) { try await tooBig.value }
        #expect(error.code == .memoryLimitExceeded && error.message.contains("300 MiB"))
        #expect(try await others.value == Array(0..<200))
        let statistics = pool.statistics
        #expect(statistics.submitted == statistics.succeeded + statistics.failed && statistics.failed == 1)
      }
    }
  }
}

private enum Paths {
  static let folder = WorkerLocal<Marks>()
  static let model = WorkerLocal<UnsafeMutableRawPointer>()
}

/// A process of its own that holds memory.
private func holdInChild(_ mebibytes: Int, seconds: Double = 1000) throws {
  var child: pid_t = 0
  let script = "import time; x = bytearray(\(mebibytes) << 20); time.sleep(\(seconds))"
  let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("python3"), strdup("-c"), strdup(script), nil]
  guard posix_spawnp(&child, "python3", nil, nil, arguments, environ) == 0 else { throw OddNumber(number: 0) }
  var status: Int32 = 0
  waitpid(child, &status, 0)
}

/// Of the fifth a process is ended. Most of what is held is in no process, so only the kernel sees the sum. Little is in the
/// one that is ended, and the rest is kept, so that the task returns at once: before the pool looks, more often than not.
private func greedyInTheFifth(_ number: Int) throws -> Int {
  guard number == 5 else { return number }
  _ = try? kept.withValue { close($0) }
  let name = "/dev/shm/apus-greedy-\(getpid())"
  let file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
  unlink(name)
  kept.set(file)
  let piece = [UInt8](repeating: 1, count: 1 << 20)
  for _ in 0..<205 { _ = write(file, piece, piece.count) }
  try holdInChild(40, seconds: 0.1)
  return PoolTask.attempt
}

private let kept = WorkerLocal<Int32>()

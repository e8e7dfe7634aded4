import Apus
@testable import ApusProcesses
import Glibc
import TestSupport
import Testing

extension ProcessPoolTests {
  /// What a worker finds around itself: name, environment, arguments, folder, signals, number, attempt, chance.
  @Suite struct WorkerSettingsTests {
    @Test func environmentArgumentsAndFolder() async throws {
      let folder = TemporaryFolder()
      setenv("APUS_TEST_TAKEN", "here", 1)
      var configuration = ProcessPool.Configuration()
      configuration.environment = ["APUS_TEST_GIVEN": "a=b", "APUS_TEST_TAKEN": nil, "PATH": "/nowhere"]
      configuration.arguments = ["one", "two words"]
      configuration.workingDirectory = folder.path
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        let found = try await pool.run(0) { _ -> [String?] in
          func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
          let folder = getcwd(nil, 0)!
          defer { free(folder) }
          return [
            variable("APUS_TEST_GIVEN"), variable("APUS_TEST_TAKEN"), variable("PATH"),
            variable("APUS_WORKER"),
            String(cString: folder),
          ] + CommandLine.arguments.dropFirst().map { $0 }
        }
        #expect(found == ["a=b", nil, "/nowhere", nil, folder.path, "one", "two words"])
      }
      unsetenv("APUS_TEST_TAKEN")
    }

    @Test func aWorkerIsCalledByItsPoolsName() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.name = "shop"
      configuration.backtraces = .off
      let events = EventStream()
      let sources = Words()
      let subscription = events.subscribe { sources.add("\($0.source.name) \($0.worker ?? -1)") }
      configuration.events = events
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        var seen: Set<Int32> = []
        while seen.count < 2 {
          seen.formUnion(
            try await pool.map(0..<4, chunking: .fixed(1)) { _ in
              usleep(2000)
              return getpid()
            })
        }
        var names: Set<String> = []
        for process in pool.processIdentifiers {
          let file = fopen("/proc/\(process)/comm", "re")!
          defer { fclose(file) }
          var line = [CChar](repeating: 0, count: 64)
          fgets(&line, 64, file)
          names.insert(String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8($0) }, as: UTF8.self))
        }
        #expect(names == ["shop/0", "shop/1"])
        let error = try await #require(throws: TaskError.self) { try await pool.run(3, leave) }
        #expect(error.message.contains("its worker, shop/"))
      }
      #expect(sources.all.contains("shop 0") && sources.all.contains("shop 1"))
      withExtendedLifetime(subscription) {}
    }

    @Test func signals() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.signals = [SIGINT: .ignore, SIGUSR1: .ignore, SIGHUP: .standard]
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        let isIgnored = try await pool.map([SIGINT, SIGUSR1, SIGHUP, SIGTERM]) { (signal: Int32) -> Bool in
          var action = sigaction()
          sigaction(signal, nil, &action)
          return action.__sigaction_handler.sa_handler.map { unsafeBitCast($0, to: Int.self) } == 1
        }
        #expect(isIgnored == [true, true, false, false])
        // It goes on.
        #expect(try await pool.run(1) { n in kill(getpid(), SIGINT) == 0 ? n : -1 } == 1)
      }
    }

    @Test func whatCantBeSetIsRefused() {
      func refused(_ words: String, _ change: (inout ProcessPool.Configuration) -> Void) {
        var configuration = ProcessPool.Configuration()
        change(&configuration)
        let error = #expect(throws: TaskError.self) {
          try ProcessPool(workers: 1, configuration: configuration)
        }
        #expect(
          error?.code == .invalidArgument && error?.message.contains(words) == true,
          "\(String(describing: error))")
      }
      refused("can't be called") { $0.environment = ["A=B": "C"] }
      refused("can't be called") { $0.environment = ["": "C"] }
      refused("own variables") { $0.environment = ["APUS_WORKER": "1"] }
      refused("holds a NUL") { $0.environment = ["A": "B\0"] }
      refused("holds a NUL") { $0.arguments = ["a\0"] }
      refused("no such folder") { $0.workingDirectory = "/nowhere/at/all" }
      refused("can't be set") { $0.signals = [SIGKILL: .ignore] }
      refused("can't be set") { $0.signals = [0: .ignore] }
      refused("one line") { $0.name = "" }
      refused("one line") { $0.name = "a\nb" }
      refused("tasksPerWorker") { $0.tasksPerWorker = 0 }
      refused("memory limit of 0") { $0.memoryLimit = 0 }
      refused("any machine") { $0.memoryLimit = .max }
      refused("queueLimit") { $0.queueLimit = 0 }
      refused("deadline") { $0.deadline = .zero }
    }

    @Test func numberAndAttempt() async throws {
      #expect(PoolTask.worker == nil && PoolTask.attempt == 1)
      var configuration = ProcessPool.Configuration()
      configuration.backtraces = .off
      try await withProcessPool(workers: 3, configuration: configuration) { (pool) async throws in
        var numbers: Set<Int> = []
        while numbers.count < 3 {
          numbers.formUnion(
            try await pool.map(0..<9, chunking: .fixed(1)) { _ -> Int in
              usleep(2000)
              return PoolTask.worker!
            })
        }
        #expect(numbers == [0, 1, 2])
        // Plain memory, coded values, and single calls.
        let plain = try await pool.map(0..<20, retries: 2) { n in
          if n == 7, PoolTask.attempt < 3 { abort() }
          return PoolTask.attempt
        }
        #expect(plain == (0..<20).map { $0 == 7 ? 3 : 1 })
        let coded = try await pool.map((0..<20).map(String.init), retries: 1) { text in
          if text == "9", PoolTask.attempt < 2 { abort() }
          return "\(text) \(PoolTask.attempt)"
        }
        #expect(coded[9] == "9 2" && coded[8] == "8 1")
        #expect(
          try await pool.run(1, retries: 1) { _ in PoolTask.attempt > 1 ? PoolTask.attempt : leave(1) } == 2)
      }
    }

    @Test func chanceCanBeRepeated() async throws {
      func draw(seed: UInt64?) async throws -> [[UInt64]] {
        var configuration = ProcessPool.Configuration()
        configuration.seed = seed
        return try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
          var numbers: [[UInt64]] = []
          for worker in 0..<2 {
            // Each worker's first five numbers: by key, since then all tasks of a call are one worker's.
            let key = (0...).first { pool.withKey($0).configuration.place == worker }!
            var own: [UInt64] = []
            for _ in 0..<5 {
              own.append(
                try await pool.withKey(key).run(0) { _ in
                  var random = PoolTask.random
                  return random.next()
                })
            }
            numbers.append(own)
          }
          return numbers
        }
      }
      let (one, same, other, free) = (
        try await draw(seed: 7), try await draw(seed: 7), try await draw(seed: 8), try await draw(seed: nil)
      )
      #expect(one == same && one != other && one != free)
      #expect(one[0] != one[1] && Set(one[0]).count == 5)
    }
  }
}

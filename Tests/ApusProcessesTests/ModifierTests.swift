import Apus
@testable import ApusProcesses
import Glibc
import ApusSystem
import TestSupport
import Testing

extension ProcessPoolTests {
  /// Single calls that differ from what the pool's configuration says, the bound on the queue, and the counters.
  @Suite struct ModifierTests {
    private static let rest = { @Sendable (microseconds: Int) -> Int in
      usleep(UInt32(microseconds))
      return microseconds
    }

    @Test func noLimitForOneCall() async throws {
      var configuration = ProcessPool.Configuration()
      (configuration.timeLimit, configuration.gracePeriod) = (.milliseconds(50), .zero)
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        #expect(try await pool.withTimeLimit(nil).run(300_000, Self.rest) == 300_000)
        let error = try await #require(throws: TaskError.self) {
          try await pool.run(1_000_000_000, Self.rest)
        }
        #expect(error.code == .timeLimitExceeded)
      }
    }

    @Test func aDeadlineCountsTheQueue() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        // The second would take no time, and waits.
        let first = pool.submit(400_000, Self.rest)
        let second = pool.withDeadline(.milliseconds(50)).submit(0, Self.rest)
        let error = try await #require(throws: TaskError.self) { try await second.value }
        #expect(error.code == .deadlineExceeded)
        #expect(try await first.value == 400_000)
        // What runs is stopped; what was done counts.
        let outcomes = await pool.withDeadline(.seconds(2)).outcomes(
          of: [0, 0, 1_000_000_000, 0], chunking: .fixed(1), Self.rest)
        #expect(try outcomes[0].get() == 0 && outcomes[1].get() == 0)
        for outcome in outcomes[2...] {
          let error = try #require(throws: TaskError.self) { try outcome.get() }
          #expect(error.code == .deadlineExceeded)
        }
        #expect(try await pool.run(1, double) == 2)
        #expect(try await pool.withDeadline(.seconds(hung)).map(0..<1000, double).count == 1000)
      }
    }

    @Test func tasksWithAKeyGoToOneWorker() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.backtraces = .off
      try await withProcessPool(workers: 3, configuration: configuration) { (pool) async throws in
        var workers: [String: Set<Int>] = [:]
        for round in 0..<20 {
          for key in ["a", "b", "c", "d"] {
            workers[key, default: []].insert(try await pool.withKey(key).run(round) { _ in PoolTask.worker! })
          }
        }
        #expect(workers.values.allSatisfy { $0.count == 1 })
        let keyed = try await pool.withKey("a").map(0..<100) { _ in PoolTask.worker! }
        #expect(Set(keyed) == workers["a"])
        // Also after its death, in the worker that takes its place; others are not held up.
        await #expect(throws: TaskError.self) { try await pool.withKey("a").run(3, leave) }
        #expect(try await pool.withKey("a").run(1) { _ in PoolTask.worker! } == workers["a"]!.first)
      }
    }

    /// A place whose worker is not replaced any more is another worker's.
    @Test func aKeyOutlivesItsWorker() async throws {
      var configuration = ProcessPool.Configuration()
      (configuration.backtraces, configuration.maximumRestarts) = (.off, 0)
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        await #expect(throws: TaskError.self) { try await pool.withKey(1).run(3, leave) }
        #expect(try await pool.withKey(1).map(0..<10, double).count == 10)
      }
    }

    @Test func progressIsToldAsACallGoesOn() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let seen = Locked<[CallProgress]>([])
        let told = pool.onProgress { progress in seen.withLock { $0.append(progress) } }
        _ = try await told.map(0..<40, chunking: .fixed(1)) { n in
          usleep(3000)
          return n
        }
        var all = seen.withLock { $0 }
        #expect(all.count > 1 && all.last == CallProgress(done: 40, failed: 0, total: 40))
        #expect(zip(all, all.dropFirst()).allSatisfy { $0.done < $1.done })
        seen.withLock { $0 = [] }
        _ = await told.outcomes(of: (0..<20).map(String.init)) { text in
          if text == "5" { throw OddNumber(number: 5) }
          return text
        }
        all = seen.withLock { $0 }
        #expect(all.last?.done == 20 && all.last?.failed == 1 && all.last?.total == 20)
        // It may use the pool itself, and take its time.
        let nested = Locked(0)
        let results = try await pool.onProgress { _ in
          usleep(2000)
          nested.withLock { $0 += 1 }
        }.map(["a", "b", "c"]) { $0 + "!" }
        #expect(results == ["a!", "b!", "c!"] && nested.withLock { $0 } > 0)
      }
    }

    @Test func aFullQueueIsAnErrorOrAWait() async throws {
      var configuration = ProcessPool.Configuration()
      (configuration.queueLimit, configuration.whenQueueIsFull) = (2, .fail)
      let folder = TemporaryFolder()
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        let marks = folder.marks
        let held = pool.submit(0, with: marks) { marks, n in
          marks.set("begun")
          return marks.wait(for: "go") ? n : -1
        }
        marks.wait(for: "begun")
        let waiting = [pool.submit(1, double), pool.submit(2, double)]
        let error = try await #require(throws: TaskError.self) { try await pool.submit(3, double).value }
        #expect(error.code == .queueFull)
        let other = try await #require(throws: TaskError.self) { try await pool.run(3, double) }
        #expect(other.code == .queueFull)
        marks.set("go")
        #expect(try await held.value == 0)
        for (number, handle) in zip([2, 4], waiting) { #expect(try await handle.value == number) }
        #expect(try await pool.run(3, double) == 6)
      }
      configuration.whenQueueIsFull = .wait
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        let most = Locked(0)
        try await withThrowingTaskGroup(of: Int.self) { (group) async throws in
          for number in 0..<60 {
            group.addTask {
              defer { most.withLock { $0 = max($0, pool.statistics.queued) } }
              return try await pool.run(number) { n in
                usleep(500)
                return n
              }
            }
          }
          #expect(try await group.reduce(0, +) == 60 * 59 / 2)
        }
        // Two that wait, and what the two workers have been sent and not begun.
        #expect(most.withLock { $0 } <= 4)
        // A cancelled caller does not wait.
        let marks = Marks(path: folder.path + "")
        let long = (0..<4).map { _ in
          pool.submit(0, with: marks) { marks, n in marks.wait(for: "end") ? n : -1 }
        }
        let waiter = Task { try await pool.run(1, double) }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
        marks.set("end")
        for handle in long { #expect(try await handle.value == 0) }
      }
    }

    /// Calls over many inputs do not fill the queue, and who waits for room is told although nobody drives the pool.
    @Test func roomIsForCallsOfOneTask() async throws {
      var configuration = ProcessPool.Configuration()
      (configuration.queueLimit, configuration.whenQueueIsFull) = (1, .fail)
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        let map = Task {
          try await pool.map(Array(0..<200), chunking: .fixed(1)) { n in
            usleep(1000); return n
          }
        }
        #expect(await eventually { pool.statistics.queued > 10 })
        #expect(try await pool.run(1, double) == 2)
        #expect(try await map.value.count == 200)
      }
      configuration.whenQueueIsFull = .wait
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        var sum = 0
        for try await result in pool.results(of: 0..<50, double) { sum += try await pool.run(result, double) }
        #expect(sum == 4 * 1225)
        let held = pool.submit(300_000, Self.rest)
        let waiting = pool.submit(0, Self.rest)
        let error = try await #require(throws: TaskError.self) {
          try await pool.withDeadline(.milliseconds(50)).run(0, Self.rest)
        }
        #expect(error.code == .deadlineExceeded)
        #expect(try await held.value == 300_000)
        #expect(try await waiting.value == 0)
        let refused = try await #require(throws: TaskError.self) {
          try await pool.withDeadline(.zero).run(0, double)
        }
        #expect(refused.code == .invalidArgument)
      }
    }

    /// Many tasks for a busy worker do not hide those that any worker may do.
    @Test func tasksWithAKeyHoldUpNoOthers() async throws {
      let folder = TemporaryFolder()
      try await withProcessPool(workers: 2) { (pool) async throws in
        let busy = pool.withKey(1)
        let held = busy.submit(0, with: folder.marks) { marks, n in marks.wait(for: "go") ? n : -1 }
        let behind = (0..<2000).map { busy.submit($0, double) }
        #expect(try await pool.run(4, double) == 8)
        folder.marks.set("go")
        #expect(try await held.value == 0)
        for (number, handle) in behind.enumerated() { #expect(try await handle.value == 2 * number) }
      }
    }

    @Test func waitsThatAreBounded() async throws {
      let folder = TemporaryFolder()
      try await withProcessPool(workers: 1) { (pool) async throws in
        let handle = pool.submit(5, with: folder.marks) { marks, n in marks.wait(for: "go") ? n : -1 }
        let error = try await #require(throws: TaskError.self) {
          try await handle.value(within: .milliseconds(20))
        }
        #expect(error.code == .waitTimedOut)
        let blocked = try await #require(throws: TaskError.self) {
          try await onThread { try handle.wait(within: .milliseconds(20)) }
        }
        #expect(blocked.code == .waitTimedOut)
        folder.marks.set("go")
        #expect(try await handle.value(within: .seconds(hung)) == 5)
        #expect(try await onThread { try handle.wait(within: .seconds(hung)) } == 5)
      }
    }

    @Test func theCountersAddUpAtAnyTime() async throws {
      var configuration = ProcessPool.Configuration()
      (configuration.backtraces, configuration.timeLimit, configuration.gracePeriod) = (
        .off, .milliseconds(200), .zero
      )
      let pool = try ProcessPool(workers: 2, configuration: configuration)
      let isOver = Locked(false)
      let watcher = Task {
        var looks = 0
        while !isOver.withLock({ $0 }) {
          let now = pool.statistics
          #expect(
            now.submitted == now.queued + now.running + now.succeeded + now.failed + now.cancelled, "\(now)")
          #expect(now.running <= 2)
          looks += 1
          await Task.yield()
        }
        return looks
      }
      _ = await pool.outcomes(of: 0..<300, chunking: .fixed(3), retries: 1) { n in
        if n % 50 == 3 { abort() }
        if n % 100 == 9 { sleep(1000) }
        return n
      }
      for number in 0..<200 { _ = try await pool.run(number, double) }
      let cancelled = (0..<20).map { _ in pool.submit(20_000, Self.rest) }
      for handle in cancelled { handle.cancel() }
      for handle in cancelled { _ = try? await handle.value }
      let lazy = pool.results(of: 0..<1_000_000, double)
      for try await result in lazy where result == 200 { break }
      await pool.shutdown(gracePeriod: .zero)
      isOver.withLock { $0 = true }
      #expect(await watcher.value > 0)
      let end = pool.statistics
      #expect(end.queued == 0 && end.running == 0 && end.retried > 0 && end.restarts > 0)
      #expect(end.submitted == end.succeeded + end.failed + end.cancelled)
    }

    @Test func busyTimeIsThatOfTasks() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        _ = try await pool.run(1, double)
        for _ in 0..<5 { _ = try await pool.run(40_000, Self.rest) }
        let busy = pool.statistics.workers[0].busyTime
        #expect(busy >= .milliseconds(200))
      }
    }

    @Test func listenersHearOfEachTask() async throws {
      let events = EventStream()
      let heard = Locked<[Event]>([])
      let subscription = events.subscribe { event in heard.withLock { $0.append(event) } }
      var configuration = ProcessPool.Configuration()
      configuration.events = events
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        _ = await pool.outcomes(of: 0..<50, chunking: .fixed(2)) { n in
          if n == 20 { throw OddNumber(number: 20) }
          return n
        }
        for number in 0..<30 { _ = try await pool.run(number, double) }
        let held = pool.submit(5_000_000, Self.rest)
        let waiting = (0..<5).map { _ in pool.submit(1, Self.rest) }
        for handle in waiting + [held] { handle.cancel() }
        for handle in waiting + [held] { _ = try? await handle.value }
      }
      let all = heard.withLock { $0 }
      func count(_ kind: Event.Kind) -> Int {
        all.filter { $0.kind == kind }.reduce(0) { $0 + ($1.count ?? 1) }
      }
      #expect(count(.taskQueued) == 86)
      #expect(count(.taskFinished) + count(.taskFailed) + count(.taskCancelled) == 86)
      #expect(count(.taskFailed) == 1 && count(.taskFinished) >= 79)
      #expect(count(.taskStarted) >= 80)
      let finished = all.filter { $0.kind == .taskFinished }
      #expect(
        finished.allSatisfy { $0.call != nil && $0.task != nil && $0.worker != nil && $0.process != nil })
      withExtendedLifetime(subscription) {}
    }
  }
}

/// Calls `body` on a thread that may block.
private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    let work = Work { continuation.resume(with: Result { try body() }) }
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      {
        Unmanaged<Work>.fromOpaque($0!).takeRetainedValue().body(); return nil
      },
      Unmanaged.passRetained(work).toOpaque())
  }
}

private final class Work: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

import Apus
import Glibc
import TestSupport
import Testing

private enum State {
  static let word = WorkerLocal<String>()
}

private final class NotSendable { var number = 0 }

private enum Kept { static let object = WorkerLocal<NotSendable>() }

extension ProcessPoolTests {
  /// What workers call before their first task and after their last one.
  @Suite struct HookTests {
    @Test func aStartHookIsCalledOnceInEachWorkerBeforeItsTasks() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      var configuration = ProcessPool.Configuration()
      configuration.onWorkerStart(with: marks) { marks in
        marks.set("start", "\(getpid())")
        State.word.set("of \(getpid())")
      }
      configuration.onWorkerExit { try State.word.withValue { print($0) } }
      try await withProcessPool(workers: 3, configuration: configuration) { (pool) async throws in
        let words = try await pool.map(0..<200, chunking: .fixed(1)) { _ in
          try State.word.withValue { "\($0) in \(getpid())" }
        }
        for word in words {
          let parts = word.split(separator: " ")
          #expect(parts[1] == parts[3])
        }
        #expect(await eventually { marks.lines("start").count == 3 })
      }
      #expect(Set(marks.lines("start")).count == 3)
    }

    @Test func anExitHookIsCalledWhenThePoolEndsInGoodOrder() async throws {
      let folder = TemporaryFolder()
      for (way, isOrderly) in [("shutdown", true), ("at once", false)] {
        let marks = folder.marks
        var configuration = ProcessPool.Configuration()
        configuration.onWorkerStart(with: "\(folder.path)/\(way)") { path in
          State.word.set(path)
          mark(path, ".started")
        }
        configuration.onWorkerExit {
          mark(try State.word.withValue { $0 }, ".ended")
        }
        let pool = try ProcessPool(workers: 2, configuration: configuration)
        _ = try await pool.map(0..<50, chunking: .fixed(1), double)
        await pool.shutdown(gracePeriod: isOrderly ? .seconds(hung) : .zero)
        let started = Set(marks.lines(way + ".started"))
        #expect(!started.isEmpty && Set(marks.lines(way + ".ended")) == (isOrderly ? started : []))
      }
    }

    @Test func hooksMayBeAsynchronous() async throws {
      let folder = TemporaryFolder()
      let marks = folder.marks
      var configuration = ProcessPool.Configuration()
      configuration.onWorkerStart(with: marks) { marks async in
        await Task.yield()
        State.word.set(marks.path)
      }
      configuration.onWorkerExit {
        await Task.yield()
        Marks(path: try State.word.withValue { $0 }).set("end")
      }
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        #expect(try await pool.run(1) { _ in try State.word.withValue { $0 } } == marks.path)
      }
      #expect(marks.isSet("end"))
    }

    @Test func aStartHookThatThrowsIsTold() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.onWorkerStart { throw OddNumber(number: 7) }
      let pool = try ProcessPool(workers: 2, configuration: configuration)
      let error = try await #require(throws: TaskError.self) { try await pool.run(1, double) }
      #expect(error.code == .startUpFailed)
      #expect(error.message.contains("start hook failed") && error.message.contains("OddNumber(number: 7)"))
      await pool.shutdown()
    }

    @Test func aStartHookThatTrapsIsTold() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.backtraces = .off
      configuration.onWorkerStart { fatalError("no luck today") }
      let pool = try ProcessPool(workers: 1, configuration: configuration)
      let error = try await #require(throws: TaskError.self) { try await pool.run(1, double) }
      #expect(error.code == .startUpFailed && error.message.contains("start hook"))
      #expect(error.description.contains("no luck today"))
      await pool.shutdown()
    }

    @Test func aStartHookThatNeverReturnsIsTold() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.startUpLimit = .seconds(2)
      configuration.onWorkerStart { while true { sleep(1000) } }
      let pool = try ProcessPool(workers: 1, configuration: configuration)
      let error = try await #require(throws: TaskError.self) { try await pool.run(1, double) }
      #expect(error.code == .startUpFailed && error.message.contains("had not returned after 2"))
      await pool.shutdown()
    }

    /// One worker's bad luck is that worker's: the others do its tasks, and another one is tried.
    @Test func aStartHookThatFailsOnceCostsNoTask() async throws {
      let folder = TemporaryFolder()
      var configuration = ProcessPool.Configuration()
      configuration.onWorkerStart(with: folder.marks) { marks in
        guard PoolTask.worker == 0 else { return }
        marks.set("tries", "x")
        if marks.lines("tries").count == 1 { throw OddNumber(number: 1) }
      }
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        #expect(try await pool.map(0..<100, chunking: .fixed(1), double) == (0..<100).map { $0 * 2 })
        #expect(await eventually { pool.statistics.restarts == 1 })
      }
    }

    @Test func anExitHookThatFailsIsToldAsAnEvent() async throws {
      for way in ["throws", "traps", "hangs"] {
        let events = EventStream()
        let said = Words()
        let subscription = events.subscribe { if $0.kind == .warning { said.add($0.text ?? "") } }
        var configuration = ProcessPool.Configuration()
        configuration.events = events
        configuration.backtraces = .off
        configuration.name = "shop"
        configuration.onWorkerStart(with: way) { State.word.set($0) }
        configuration.onWorkerExit {
          switch try State.word.withValue({ $0 }) {
          case "throws": throw OddNumber(number: 3)
          case "traps": fatalError("at the end")
          default: while true { sleep(1000) }
          }
        }
        let pool = try ProcessPool(workers: 1, configuration: configuration)
        _ = try await pool.run(1, double)
        await pool.shutdown(gracePeriod: way == "hangs" ? .milliseconds(200) : .seconds(hung))
        let text = said.all.joined(separator: "\n")
        #expect(text.contains("worker 0 of shop"))
        switch way {
        case "throws": #expect(text.contains("exit hook failed") && text.contains("OddNumber(number: 3)"))
        case "traps": #expect(text.contains("exit hook ended it"))
        default: #expect(text.contains("exit hook had not returned"))
        }
        #expect(pool.processIdentifiers.isEmpty)
        withExtendedLifetime(subscription) {}
      }
    }

    @Test func aHookMayPrintForkAndStartThreads() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.onWorkerStart {
        print("hello from the hook")
        let child = spawnTrue()
        var status: Int32 = 0
        waitpid(child, &status, 0)
        Thread.start()
      }
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        #expect(try await pool.map(0..<20, chunking: .fixed(1), double).count == 20)
      }
    }

    @Test func inAPoolWithoutWorkersTheCallerCallsThem() async throws {
      var configuration = ProcessPool.Configuration()
      configuration.onWorkerStart(with: 5) { (number: Int) in
        let object = NotSendable()
        object.number = number
        Kept.object.set(object)
      }
      configuration.onWorkerExit { try Kept.object.withValue { $0.number += 1 } }
      try await withProcessPool(workers: 0, configuration: configuration) { (pool) async throws in
        #expect(try await pool.run(1) { n in try Kept.object.withValue { $0.number } + n } == 6)
      }
      #expect(try Kept.object.withValue { $0.number } == 6)
      configuration.onWorkerStart { throw OddNumber(number: 9) }
      try await withProcessPool(workers: 0, configuration: configuration) { (pool) async throws in
        let error = try await #require(throws: TaskError.self) { try await pool.run(1, double) }
        #expect(error.code == .startUpFailed && error.message.contains("OddNumber(number: 9)"))
      }
    }

    @Test func aHookThatCapturesIsRefused() throws {
      let folder = TemporaryFolder()
      var configuration = ProcessPool.Configuration()
      configuration.onWorkerStart { print(folder.path) }
      let error = try #require(throws: TaskError.self) {
        try ProcessPool(workers: 1, configuration: configuration)
      }
      #expect(error.code == .functionNotNameable)
    }

    @Test func whatWasNotSetSaysSo() async throws {
      let error = try #require(throws: TaskError.self) { try WorkerLocal<Int>().withValue { $0 } }
      #expect(error.message.contains("onWorkerStart"))
    }
  }
}

private func mark(_ path: String, _ what: String) {
  let slash = path.lastIndex(of: "/")!
  Marks(path: String(path[..<slash])).set(path[path.index(after: slash)...] + what, "\(getpid())")
}

private func spawnTrue() -> pid_t {
  var child: pid_t = 0
  let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
  posix_spawn(&child, "/bin/true", nil, nil, arguments, environ)
  return child
}

private enum Thread {
  static func start() {
    var thread = pthread_t()
    pthread_create(&thread, nil, { _ in nil }, nil)
  }
}

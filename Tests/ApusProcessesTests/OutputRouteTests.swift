import Apus
import ApusSystem
import Glibc
import TestSupport
import Testing

extension ProcessPoolTests {
  /// Other places for what workers print than the program's own output.
  @Suite struct OutputRouteTests {
    /// Prints two whole lines, one without an end, and one to each of standard error and a program that it starts.
    private static let chatter = { @Sendable (number: Int) -> Int in
      print("\(number) whole")
      printError("\(number) error")
      if number % 7 == 0 { _ = system("echo \(number) child") }
      print(number, "open", terminator: "")
      return number
    }

    private static func configuration(_ lines: Locked<[WorkerLine]>) -> ProcessPool.Configuration {
      var configuration = ProcessPool.Configuration()
      configuration.backtraces = .off
      configuration.output = .handler { line in lines.withLock { $0.append(line) } }
      return configuration
    }

    private static func texts(_ lines: [WorkerLine], of number: Int, _ stream: WorkerLine.Stream) -> [String]
    {
      lines.filter { $0.task == number && $0.stream == stream }.map(\.text)
    }

    private static func expectChatter(_ lines: [WorkerLine], of count: Int) {
      for number in 0..<count {
        let child = number % 7 == 0 ? ["\(number) child"] : []
        #expect(
          texts(lines, of: number, .output) == ["\(number) whole"] + child + ["\(number) open"])
        #expect(texts(lines, of: number, .errors) == ["\(number) error"])
      }
      #expect(lines.count == 3 * count + (count + 6) / 7)
    }

    @Test(arguments: [Chunking.automatic, .fixed(1), .fixed(16)])
    func eachLineComesWithItsTask(chunking: Chunking) async throws {
      let lines = Locked<[WorkerLine]>([])
      try await withProcessPool(workers: 2, configuration: Self.configuration(lines)) { (pool) async throws in
        #expect(
          try await pool.map(0..<100, chunking: chunking, Self.chatter) == Array(0..<100))
        // The call returns when the handler has had them.
        let had = lines.withLock { $0 }
        Self.expectChatter(had, of: 100)
        #expect(Set(had.map(\.call)).count == 1 && had.allSatisfy { $0.call != nil })
        #expect(Set(had.map(\.process)).isSubset(of: pool.processIdentifiers))
        #expect(had.allSatisfy { 0..<2 ~= $0.worker })
      }
    }

    /// Arguments and values that are encoded, calls that are awaited and those that are not, single tasks.
    @Test func soItIsForEveryKindOfCall() async throws {
      let lines = Locked<[WorkerLine]>([])
      try await withProcessPool(workers: 2, configuration: Self.configuration(lines)) { (pool) async throws in
        let words = (0..<50).map { "word \($0)" }
        _ = try await pool.map(words) { word in
          print(word)
          return word
        }
        for (number, word) in words.enumerated() {
          #expect(lines.withLock { Self.texts($0, of: number, .output) } == [word])
        }
        lines.withLock { $0 = [] }
        for number in 0..<50 { #expect(try await pool.run(number, Self.chatter) == number) }
        #expect(lines.withLock { $0.count } == 158)
        #expect(lines.withLock { Set($0.map(\.call)) }.count == 50)
        lines.withLock { $0 = [] }
        let handles = (0..<50).map { pool.submit($0, Self.chatter) }
        for handle in handles { _ = try await handle.value }
        #expect(lines.withLock { Set($0.filter { $0.text.hasSuffix("whole") }.map(\.text)) }.count == 50)
        #expect(lines.withLock { $0.allSatisfy { $0.task == 0 } })
      }
    }

    /// Plain memory of any alignment, and more of it than one message takes.
    @Test func chunksOfAnySize() async throws {
      let lines = Locked<[WorkerLine]>([])
      try await withProcessPool(workers: 2, configuration: Self.configuration(lines)) { (pool) async throws in
        let numbers = (0..<30_000).map { SIMD4<Float>(repeating: Float($0)) }
        let sums = try await pool.map(numbers, chunking: .fixed(20_000)) { number -> Float in
          if number.x == 17 || number.x == 29_999 { print("found") }
          return number.sum()
        }
        #expect(sums == numbers.map { $0.sum() })
        #expect(lines.withLock { Set($0.map(\.task)) } == [17, 29_999])
      }
    }

    private struct Padded: RawCodable, Equatable {
      var x, y: Double
      var id: Int32
    }

    /// Values between which there is room in an array.
    @Test func valuesWithPadding() async throws {
      let lines = Locked<[WorkerLine]>([])
      try await withProcessPool(workers: 2, configuration: Self.configuration(lines)) { (pool) async throws in
        let values = (0..<100).map { Padded(x: Double($0), y: 0, id: $0) }
        #expect(try await pool.map(values) { Padded(x: $0.x, y: 1, id: $0.id) }.map(\.id) == Array(0..<100))
        #expect(try await pool.run(values[3]) { $0 } == values[3])
      }
    }

    /// What is done when a call is given up is told as done.
    @Test func valuesOfACallThatIsCancelled() async throws {
      let lines = Locked<[WorkerLine]>([])
      try await withProcessPool(workers: 2, configuration: Self.configuration(lines)) { (pool) async throws in
        let call = Task {
          await pool.outcomes(of: 0..<10, chunking: .fixed(1)) { number -> Int in
            if number >= 8 { while !PoolTask.isCancelled { usleep(1000) } }
            print(number)
            return number
          }
        }
        #expect(await eventually { lines.withLock { $0.count } >= 8 })
        call.cancel()
        let outcomes = await call.value
        for number in 0..<8 { #expect(try outcomes[number].get() == number) }
        for outcome in outcomes[8...] { #expect(throws: TaskError.self) { try outcome.get() } }
      }
    }

    /// More workers than are looked at at a time.
    @Test func manyWorkers() async throws {
      let lines = Locked<[WorkerLine]>([])
      try await withProcessPool(workers: 40, configuration: Self.configuration(lines)) {
        (pool) async throws in
        for _ in 0..<5 {
          lines.withLock { $0 = [] }
          #expect(
            try await pool.map(0..<80, chunking: .fixed(1), Self.chatter) == Array(0..<80))
          Self.expectChatter(lines.withLock { $0 }, of: 80)
        }
      }
    }

    @Test func blockingCallsToo() throws {
      let lines = Locked<[WorkerLine]>([])
      try withProcessPool(workers: 2, configuration: Self.configuration(lines)) { (pool) throws in
        #expect(try pool.map(0..<20, Self.chatter) == Array(0..<20))
        Self.expectChatter(lines.withLock { $0 }, of: 20)
        #expect(try pool.run(7, Self.chatter) == 7)
        #expect(
          lines.withLock { $0.suffix(4).map(\.text) }.sorted() == ["7 child", "7 error", "7 open", "7 whole"])
      }
    }

    @Test func hooksAreNoTasks() async throws {
      let lines = Locked<[WorkerLine]>([])
      var configuration = Self.configuration(lines)
      configuration.onWorkerStart { print("started") }
      configuration.onWorkerExit { print("ended") }
      try await withProcessPool(workers: 1, configuration: configuration) { (pool) async throws in
        _ = try await pool.run(1, Self.chatter)
      }
      let had = lines.withLock { $0 }
      #expect(had.filter { $0.stream == .output }.map(\.text) == ["started", "1 whole", "1 open", "ended"])
      #expect(had.map(\.text).contains("1 error"))
      #expect(had.first?.call == nil && had.first?.task == nil && had.last?.call == nil)
    }

    /// A body that has taken descriptors 1 and 2 for other files, and one that closes them.
    @Test func marksGoNowhereElse() async throws {
      let lines = Locked<[WorkerLine]>([])
      let path = "/tmp/apus-output-\(getpid())"
      defer { unlink(path) }
      try await withProcessPool(workers: 1, configuration: Self.configuration(lines)) { (pool) async throws in
        try await pool.run(path) { path in
          let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
          dup2(file, 1)
          dup2(file, 2)
        }
        _ = try await pool.map(0..<10, chunking: .fixed(1)) { number in
          printError("to the file")
          return number
        }
        try await pool.run(0) { _ in
          close(1)
          close(2)
        }
        #expect(try await pool.map(0..<10, Self.chatter).count == 10)
      }
      #expect(readSmallFile(path) == String(repeating: "to the file\n", count: 10))
      // A program that a task starts has its output closed too.
      #expect(lines.withLock { $0 }.isEmpty)
    }

    @Test func aWorkersLastWordsAreWithoutMarks() async throws {
      let lines = Locked<[WorkerLine]>([])
      try await withProcessPool(workers: 1, configuration: Self.configuration(lines)) { (pool) async throws in
        // What quiet tasks leave of marks is more than is kept.
        _ = try await pool.map(0..<300, chunking: .fixed(1), double)
        let error = try await #require(throws: TaskError.self) {
          try await pool.map(0..<20, chunking: .fixed(20)) { number in
            printError("word \(number)")
            if number == 10 { abort() }
            return number
          }
        }
        #expect(error.task == 10)
        #expect(error.standardError == (0...10).map { "word \($0)\n" }.joined())
        #expect(error.standardError.contains("\u{1E}") == false)
        #expect(lines.withLock { Self.texts($0, of: 10, .errors) } == ["word 10"])
      }
    }

    /// Its queue is bounded, and nothing is lost.
    @Test func aSlowHandler() async throws {
      let (count, isRight) = (Locked(0), Locked(true))
      var configuration = ProcessPool.Configuration()
      configuration.output = .handler { line in
        if line.bytes.count != 10_000 { isRight.withLock { $0 = false } }
        count.withLock { $0 += 1 }
        usleep(1000)
      }
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        try await pool.forEach(0..<400) { _ in print(String(repeating: "x", count: 10_000)) }
      }
      #expect(count.withLock { $0 } == 400 && isRight.withLock { $0 })
    }

    /// Nobody waits for it long who has printed nothing.
    @Test func aHandlerThatNeverKeepsUp() async throws {
      let isOver = Locked(false)
      var configuration = ProcessPool.Configuration()
      configuration.output = .handler { _ in if !isOver.withLock({ $0 }) { usleep(10_000) } }
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        let loud = pool.submit(0) { _ in
          while !PoolTask.isCancelled { print(String(repeating: "x", count: 100)) }
          return 1
        }
        for number in 0..<3 { #expect(try await pool.run(number, double) == 2 * number) }
        #expect(loud.state == .running)
        loud.cancel()
        isOver.withLock { $0 = true }
      }
    }

    /// It waits for tasks that print more than is kept for it.
    @Test func aHandlerThatWaitsForThePool() async throws {
      let pool = Locked<ProcessPool?>(nil)
      let (lines, answers) = (Locked(0), Locked<[Int]>([]))
      var configuration = ProcessPool.Configuration()
      configuration.output = .handler { line in
        lines.withLock { $0 += 1 }
        guard line.text == "ask" else { return }
        let sizes = try? pool.withLock { $0 }?.map(0..<10) { number in
          for _ in 0..<100 { print(String(repeating: "y", count: 5000)) }
          return number
        }
        answers.withLock { $0 = sizes ?? [] }
      }
      try await withProcessPool(workers: 2, configuration: configuration) { (new) async throws in
        pool.withLock { $0 = new }
        try await new.run("ask") { print($0) }
      }
      pool.withLock { $0 = nil }
      #expect(answers.withLock { $0 } == Array(0..<10))
      #expect(lines.withLock { $0 } == 1001)
    }

    @Test func otherFiles() async throws {
      let path = "/tmp/apus-files-\(getpid())"
      let file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0o600)
      defer {
        close(file)
        unlink(path)
      }
      var configuration = ProcessPool.Configuration()
      configuration.output = .descriptors(output: file, errors: file)
      try await withProcessPool(workers: 2, configuration: configuration) { (pool) async throws in
        try await pool.forEach(0..<100) { number in
          print("line \(number)")
          printError("error \(number)")
        }
        let words = readSmallFile(path)!.split(separator: "\n").map(String.init)
        #expect(words.sorted() == (0..<100).flatMap { ["line \($0)", "error \($0)"] }.sorted())
      }
      #expect(fcntl(file, F_GETFD) >= 0)
    }

    @Test func filesThatAreNone() async throws {
      let readOnly = open("/dev/null", O_RDONLY)
      defer { close(readOnly) }
      for (number, reason) in [(Int32(9999), "not open"), (-1, "not open"), (readOnly, "reading only")] {
        var configuration = ProcessPool.Configuration()
        configuration.output = .descriptors(output: 1, errors: number)
        let error = try #require(throws: TaskError.self) {
          try ProcessPool(workers: 1, configuration: configuration)
        }
        #expect(error.code == .invalidArgument && "\(error)".contains(reason))
      }
    }

    @Test func prefixed() async throws {
      let run = try await runScenario("prefixed output")
      #expect(run.output.split(separator: "\n").sorted() == ["[0] line", "[1] line"], "\(run)")
      #expect(run.errors.split(separator: "\n").sorted() == ["[0] error", "[1] error"])
      let named = try await runScenario("prefixed output", arguments: ["sums"])
      #expect(named.output.split(separator: "\n").sorted() == ["[sums/0] line", "[sums/1] line"], "\(named)")
    }

    @Test func discarded() async throws {
      let run = try await runScenario("discarded output")
      #expect(run.output == "last word\n" && run.errors.isEmpty && run.status == .exited(0), "\(run)")
    }
  }
}

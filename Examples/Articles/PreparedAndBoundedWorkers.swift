import Apus
import Glibc
import Synchronization

/// Something that takes long to open and is no Codable value.
final class Lexicon {
  let language: String
  init(language: String) { self.language = language }
  func word(_ number: Int) -> String { "\(language) \(number)" }
}

enum Worker { static let lexicon = WorkerLocal<Lexicon>() }

/// Values that come from several threads.
final class Log<Element: Sendable>: Sendable {
  private let elements = Mutex<[Element]>([])
  func append(_ element: Element) { elements.withLock { $0.append(element) } }
  var all: [Element] { elements.withLock { $0 } }
}

func double(_ number: Int) -> Int { 2 * number }

func prepareAndBoundWorkers() async throws {
  var configuration = ProcessPool.Configuration()
  configuration.name = "words"
  configuration.onWorkerStart(with: "Swahili") { Worker.lexicon.set(Lexicon(language: $0)) }
  configuration.onWorkerExit { print("worker \(PoolTask.worker ?? 0) is done") }
  configuration.environment["OMP_NUM_THREADS"] = "1"
  configuration.seed = 42

  configuration.tasksPerWorker = 1000
  configuration.memoryLimit = 512 << 20
  configuration.queueLimit = 100

  let lines = Log<WorkerLine>()
  configuration.output = .handler { line in lines.append(line) }

  try await withProcessPool(workers: 2, configuration: configuration) { pool in
    let words = try await pool.map(0..<10) { number in
      try Worker.lexicon.withValue { $0.word(number) }
    }
    expect(words[3], "Swahili 3")

    // One call that may take as long as it likes, and one that is worth nothing after a second.
    _ = try await pool.withTimeLimit(nil).run(1, double)
    _ = try await pool.withDeadline(.seconds(1)).map(0..<10, double)

    // All that belongs to a customer goes to one worker, which may keep it.
    let customer = pool.withKey("Ann")
    let first = try await customer.run(0) { _ in PoolTask.worker }
    let second = try await customer.run(0) { _ in PoolTask.worker }
    expect(first, second)

    try await pool.forEach(["zero", "one", "two"]) { print($0) }
    expect(lines.all.first { $0.task == 2 }?.text, "two")

    let told = pool.onProgress { print("\($0.done) of \($0.total ?? 0), \($0.failed) failed") }
    _ = try await told.map(0..<100, double)

    let now = pool.statistics
    print("\(now.queued) wait, \(now.running) run, \(now.succeeded) are done, \(now.failed) have failed")
    expect(now.submitted, now.queued + now.running + now.succeeded + now.failed + now.cancelled)

    let handle = pool.submit(21, double)
    expect(try await handle.value(within: .seconds(100)), 42)
  }
}

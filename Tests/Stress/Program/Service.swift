import Apus
import Glibc
import StressSupport

/// A service of fifty callers at a time. Of twenty inputs one each crashes, hangs and leaks: memory stays flat, nothing is
/// lost, and the counters add up at every look.
struct Service: Scenario {
  private let findings: Findings
  private let seconds = Settings.number("lasting", default: 10)
  private let limit = 300 << 20  // bytes
  private let leak = 120  // MiB

  init(_ findings: Findings) { self.findings = findings }

  func run() async throws {
    var configuration = ProcessPool.Configuration()
    (configuration.timeLimit, configuration.gracePeriod) = (.milliseconds(400), .milliseconds(20))
    (configuration.memoryLimit, configuration.backtraces) = (limit, .off)
    let pool = try ProcessPool(workers: 2, configuration: configuration)
    let end = ContinuousClock.now + .seconds(seconds)
    let looks = Task { await look(at: pool, until: end) }
    let asked = try await withThrowingTaskGroup(of: Int.self) { group in
      for caller in 0..<50 { group.addTask { [self] in await call(pool, as: caller, until: end) } }
      return try await group.reduce(0, +)
    }
    let (count, most) = await looks.value
    await pool.shutdown()
    let last = pool.statistics
    findings.check(
      last.submitted == asked && last.succeeded + last.failed + last.cancelled == asked,
      "\(asked) were asked for, and the counters say \(last)")
    findings.check(
      most < 2 * limit + 400 << 20, "the workers held \(most >> 20) MiB, and may hold \(2 * limit >> 20)")
    findings.figure("asked", asked)
    findings.figure("looks", count)
    findings.figure("MiB", most >> 20)
  }

  /// Asks for one thing after the other.
  private func call(_ pool: ProcessPool, as caller: Int, until end: ContinuousClock.Instant) async -> Int {
    var asked = 0
    while ContinuousClock.now < end {
      let number = caller &* 1_000_003 &+ asked
      asked += 1
      do {
        let result = try await pool.run(number, with: leak, Self.serve)
        findings.check(number % 20 > 1 && result == value(of: number), "\(number) has a wrong result")
      } catch let error as TaskError {
        let wanted: TaskError.Code? = [0: .workerDied, 1: .timeLimitExceeded][number % 20]
        if error.code == .timeLimitExceeded, wanted == nil {
          findings.slow("\(number): \(error)")
        } else {
          findings.check(error.code == wanted, "\(number): \(error)")
        }
      } catch { findings.violation("\(number): \(error)") }
    }
    return asked
  }

  private static func serve(_ leak: Int, _ number: Int) -> Int {
    switch number % 20 {
    case 0: abort()
    case 1: while true { sleep(1000) }
    case 2:
      let memory = mmap(nil, leak << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
      memset(memory, 1, leak << 20)
    default: break
    }
    return value(of: number)
  }

  /// Looks at the counters, and at how much memory the workers hold.
  private func look(at pool: ProcessPool, until end: ContinuousClock.Instant) async -> (Int, Int) {
    var (looks, most) = (0, 0)
    while ContinuousClock.now < end {
      let now = pool.statistics
      findings.check(
        now.submitted == now.queued + now.running + now.succeeded + now.failed + now.cancelled,
        "the counters don't add up: \(now)")
      let held = pool.processIdentifiers.reduce(0) { $0 + residentMemory(of: $1) }
      most = max(most, held)
      looks += 1
      try? await Task.sleep(for: .milliseconds(5))
    }
    return (looks, most)
  }

  private func residentMemory(of process: Int32) -> Int {
    guard let text = readFile("/proc/\(process)/statm") else { return 0 }
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * Int(getpagesize())
  }
}

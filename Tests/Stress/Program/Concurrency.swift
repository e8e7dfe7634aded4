import ApusSystem
import Apus
import Glibc
import StressSupport
import Synchronization

/// Many tasks and threads at one pool with all kinds of calls, some of them cancelled.
struct Concurrency: Scenario {
  private let findings: Findings
  private let tasks = Settings.number("tasks", default: 200)
  private let threads = Settings.number("threads", default: 16)
  private let steps = Settings.number("steps", default: 20)

  init(_ findings: Findings) { self.findings = findings }

  func run() async throws {
    let pool = try ProcessPool(workers: 3)
    let mixed = MixedCalls(pool: pool, findings: findings)
    let running = Counter()
    for thread in 0..<threads {
      running.add()
      try NativeThread.start(name: "caller") {
        var random = Random(Settings.seed &+ UInt64(thread) &* 7919)
        for _ in 0..<steps { mixed.blockingStep(&random) }
        running.add(-1)
      }
    }
    await withTaskGroup(of: Void.self) { group in
      for task in 0..<tasks {
        group.addTask {
          var random = Random(Settings.seed &+ 1_000_003 &* UInt64(task + 1))
          for _ in 0..<steps { await mixed.step(&random) }
        }
      }
    }
    // The threads' share takes as long as it takes: the script watches over all.
    while running.value > 0 { usleep(1000) }

    findings.figure("calls", mixed.calls.value)
    findings.figure("cancelled", mixed.cancelled.value)
    let last = Batch(base: 0)
    last.check(try await last.outcomes(pool, blocking: false), findings, "afterwards")
    findings.check(eventually { pool.processIdentifiers.count == 3 }, "the pool has lost its width")
    await pool.shutdown()
    let threads = names(in: "/proc/self/task").count
    let isQuiet = eventually {
      !(readFile("/proc/self/maps") ?? "").contains("memfd:") && names(in: "/proc/self/task").count < 16
    }
    findings.check(isQuiet, "channels or threads are left: \(threads) threads")
  }
}

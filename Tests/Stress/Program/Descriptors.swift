import Apus
import Glibc
import PoolStressSaboteur
import StressSupport

/// Pools that were made, used and ended leave nothing: no descriptor, thread, process or mapping.
struct Descriptors: Scenario {
  private let findings: Findings
  private let rounds = Settings.number("pools", default: 200)

  init(_ findings: Findings) { self.findings = findings }

  /// What a process holds.
  private struct Holdings: CustomStringConvertible {
    let descriptors = names(in: "/proc/self/fd").count
    let threads = names(in: "/proc/self/task").count
    let children =
      (readFile("/proc/self/task/\(getpid())/children") ?? "").split(separator: " ").count
      + otherChildren()
    let channels: Int
    let mappings: Int
    let resident = stress_resident(getpid())

    init() {
      let lines = (readFile("/proc/self/maps") ?? "").split(separator: "\n")
      channels = lines.count { $0.contains("memfd:") }
      mappings = lines.count
    }

    var description: String {
      "\(descriptors) descriptors, \(threads) threads, \(children) children, \(channels) channels, "
        + "\(mappings) mappings, \(resident >> 10) KiB"
    }

    /// Workers are children of the thread that spawned them.
    private static func otherChildren() -> Int {
      names(in: "/proc/self/task").filter { $0 != "\(getpid())" }.reduce(0) { count, thread in
        count + (readFile("/proc/self/task/\(thread)/children") ?? "").split(separator: " ").count
      }
    }
  }

  func run() async throws {
    var before = Holdings()
    // The first ones make what stays for good: the spawner's thread, the threads of Swift's own pool.
    for round in 0..<rounds + 20 {
      if round == 20 { before = Holdings() }
      try await one(round)
    }
    // A thread that has said that it is done needs a moment more to be gone.
    var after = Holdings()
    let isClean = eventually {
      after = Holdings()
      return after.descriptors <= before.descriptors && after.threads <= before.threads && after.children == 0
        && after.channels == 0
    }
    findings.check(isClean, "after \(rounds) pools: \(after); before: \(before)")
    // The allocator and the thread library keep some memory and some stacks for reuse.
    findings.check(after.mappings <= before.mappings + 20, "mappings: \(after); before: \(before)")
    findings.check(after.resident <= before.resident + 20 << 20, "memory: \(after); before: \(before)")
    findings.figure("after", "\(after)")
  }

  private func one(_ round: Int) async throws {
    var configuration = ProcessPool.Configuration()
    configuration.events = EventStream()
    let subscription = configuration.events.subscribe { _ in }
    let pool = try ProcessPool(workers: 1 + round % 4, configuration: configuration)
    switch round % 8 {
    case 0: break  // ended before its workers have begun
    case 1: _ = try await pool.map(0..<100, uneven)
    case 2: _ = try await onThread { try pool.map(0..<100, uneven) }
    case 3: _ = await pool.outcomes(of: [1, 2, 3], fatal)
    case 4:
      // Ended in the middle of its work.
      let handles = (0..<20).map { pool.submit($0, work) }
      await pool.shutdown(gracePeriod: .zero)
      for handle in handles { _ = try? await handle.value }
    case 5:
      let call = Task { try await pool.map(0..<10_000, work) }
      usleep(2000)
      call.cancel()
      _ = try? await call.value
    case 6:
      for try await result in pool.results(of: 0..., fill) where Freight.index(of: result) == 3 { break }
    default:
      // Not ended at all, but dropped.
      _ = try await pool.run(7, uneven)
      subscription.cancel()
      return
    }
    await pool.shutdown(gracePeriod: round % 3 == 0 ? .zero : .seconds(5))
    subscription.cancel()
  }
}

func fatal(_ index: Int) throws -> Int {
  if index == 2 { try Failure.kill.commit() }
  return index
}

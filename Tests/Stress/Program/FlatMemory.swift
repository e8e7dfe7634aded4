import Apus
import Glibc
import PoolStressSaboteur
import StressSupport

/// Memory does not grow with the number of inputs, neither here nor in the workers.
struct FlatMemory: Scenario {
  private static let limit = 20 << 20
  private let findings: Findings
  private let count = Settings.number("inputs", default: 500_000)

  init(_ findings: Findings) { self.findings = findings }

  func run() async throws {
    let pool = try ProcessPool(workers: 2)
    var most = 0
    for (order, label) in [(ResultOrder.input, "input"), (.completion, "completion")] {
      var base: [Int32: Int] = [:]
      var handed = 0
      for try await result in pool.results(of: 0..<count / 2, order: order, uneven) {
        if order == .input, result != value(of: handed) { findings.violation("result \(handed) is wrong") }
        handed += 1
        // The first tenth is for what a process takes to get going.
        if handed == count / 20 { base = resident(pool) }
        if handed > count / 20, handed % (count / 40) == 0 {
          for (process, bytes) in resident(pool) { most = max(most, bytes - base[process, default: bytes]) }
        }
      }
      findings.check(handed == count / 2, "order \(label): \(handed) results of \(count / 2)")
      findings.check(most < Self.limit, "order \(label): a process grew by \(most >> 10) KiB")
    }
    findings.figure("grownKiB", most >> 10)
    findings.figure("parentKiB", stress_resident(getpid()) >> 10)
    await pool.shutdown()
  }

  private func resident(_ pool: ProcessPool) -> [Int32: Int] {
    var sizes: [Int32: Int] = [:]
    for process in pool.processIdentifiers + [getpid()] { sizes[process] = stress_resident(process) }
    return sizes
  }
}

import Apus
import Glibc
import PoolStressSaboteur
import StressSupport

/// A program to be killed, or interrupted by ^C, while its workers are busy, idle, stopped, or all of that.
struct Victim: Scenario {
  init(_ findings: Findings) {}

  func run() async throws {
    let mode = Settings.text("mode")
    let pool = try ProcessPool(workers: 3)
    tell("STARTED")
    switch mode {
    case "idle":
      _ = try await pool.map(0..<12, nap)
    case "stopped":
      _ = try await pool.map(0..<12, nap)
      for worker in pool.processIdentifiers { _ = stress_signal_worker(worker, SIGSTOP) }
    case "busy":
      Task.detached { _ = await pool.outcomes(of: 0..<1_000_000, work) }
    default:
      // Busy with large values, one worker stopped and one on its way.
      Task.detached { _ = await pool.outcomes(of: 0..<1_000_000, fill) }
      usleep(3000)
      let workers = pool.processIdentifiers
      if let worker = workers.first { _ = stress_signal_worker(worker, SIGSTOP) }
      if let worker = workers.last { _ = stress_signal_worker(worker, SIGKILL) }
    }
    tell("READY")
    while true { try await Task.sleep(for: .seconds(60)) }
  }
}

func nap(_ index: Int) -> Int {
  usleep(500)
  return index
}

func work(_ index: Int) -> Int {
  spin(nanoseconds: 300_000)
  return index
}

func fill(_ index: Int) -> [UInt8] { Freight.make(index, count: 2 << 20) }

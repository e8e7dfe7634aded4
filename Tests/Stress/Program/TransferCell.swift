import Apus
import Glibc
import PoolStressSaboteur
import StressSupport

/// The column of the table whose failure happens in the middle of sending 20 MB.
///
/// Where "the middle" is, one sees by the memory of the process that receives: a thread in the worker has the
/// main thread fail when 4 MB of them have arrived.
struct TransferCell: Scenario {
  private let findings: Findings
  private let failure = Failure(named: Settings.text("failure"))
  private let isArgument = Settings.text("transfer") == "argument"
  private let isBlocking = Settings.isBlocking
  private var random = Random(Settings.seed)

  init(_ findings: Findings) { self.findings = findings }

  mutating func run() async throws {
    let pool = try ProcessPool(workers: 2)
    if failure == .throw {
      try await throwHalfWay(pool)
    } else {
      // All workers are up, and have done what makes a process grow at first.
      let before = Batch(base: 5000, work: 200_000)
      before.check(try await before.outcomes(pool, blocking: isBlocking), findings, "before it")
      if isArgument { try await argument(pool) } else { try await result(pool) }
    }
    let after = Batch(base: 6000)
    after.check(try await after.outcomes(pool, blocking: isBlocking), findings, "after it")
    findings.check(eventually { pool.processIdentifiers.count == 2 }, "the pool has lost its width")
    await pool.shutdown()
  }

  // MARK: The worker fails

  private mutating func argument(_ pool: ProcessPool) async throws {
    // A thread lies in wait in each worker.
    var armed: Set<Int> = []
    for _ in 0..<1000 where armed.count < 2 {
      armed.formUnion(try await pool.map([Int(failure.rawValue), Int(failure.rawValue)], lieInWait))
    }
    let guilty = random.below(Batch.count)
    let inputs = (0..<Batch.count).map {
      Freight.make($0, count: $0 == guilty ? Freight.large : Freight.small)
    }
    let limit = failure.hangs ? Settings.limit : nil
    let outcomes: [Result<Int, TaskError>]
    if isBlocking {
      outcomes = try await onThread { pool.outcomes(of: inputs, timeLimit: limit, weigh) }
    } else {
      outcomes = await pool.outcomes(of: inputs, timeLimit: limit, weigh)
    }
    check(outcomes.map { $0.map { $0 == Freight.small } }, guilty)
  }

  private mutating func result(_ pool: ProcessPool) async throws {
    let guilty = random.below(Batch.count)
    let inputs = (0..<Batch.count).map { $0 == guilty ? $0 | (Int(failure.rawValue) + 1) << 32 : $0 }
    let limit = failure.hangs ? Settings.limit : nil
    let outcomes: [Result<[UInt8], TaskError>]
    if isBlocking {
      outcomes = try await onThread { pool.outcomes(of: inputs, timeLimit: limit, deliver) }
    } else {
      outcomes = await pool.outcomes(of: inputs, timeLimit: limit, deliver)
    }
    check(outcomes.map { $0.map { $0.count == Freight.small && Freight.isWhole($0) } }, guilty)
  }

  private func check(_ outcomes: [Result<Bool, TaskError>], _ guilty: Int) {
    let counts = RunLog.counts()
    for (index, outcome) in outcomes.enumerated() {
      let runs = counts[index, default: 0]
      if index == guilty {
        switch outcome {
        case .success: findings.missed("the 20 MB were there before the failure")
        case .failure(let error):
          findings.check(failure.explains(error, thrown: .thrown), "the guilty task failed with \(error)")
          if isArgument, runs != 0 { findings.missed("the body had begun before the failure") }
          findings.check(runs <= 1, "the guilty task ran \(runs) times")
        }
        continue
      }
      switch outcome {
      case .success(let isRight):
        findings.check(
          isRight && runs == 1, "task \(index) has a wrong result, or ran \(runs) times, not once")
      case .failure(let error) where error.code == .timeLimitExceeded:
        findings.slow("sound task \(index): \(error)")
      case .failure(let error): findings.violation("sound task \(index) was lost: \(error)")
      }
    }
  }

  // MARK: The coding throws half-way

  private mutating func throwHalfWay(_ pool: ProcessPool) async throws {
    let moments: [Moment] =
      isArgument ? [.encodeArgument, .decodeArgument] : [.encodeResult, .decodeResult, .call]
    for (number, moment) in moments.enumerated() {
      let guilty = random.below(Batch.count)
      let base = number * 100
      let inputs = (0..<Batch.count).map {
        Shipment(base + $0, isLarge: $0 == guilty, throwing: $0 == guilty ? moment : nil)
      }
      let outcomes: [Result<Shipment, TaskError>]
      if isBlocking {
        outcomes = try await onThread { pool.outcomes(of: inputs, ship) }
      } else {
        outcomes = await pool.outcomes(of: inputs, ship)
      }
      let counts = RunLog.counts()
      for (index, outcome) in outcomes.enumerated() {
        let runs = counts[base + index, default: 0]
        switch outcome {
        case .success(let shipment):
          let isRight = index != guilty && shipment.index == base + index && runs == 1
          findings.check(
            isRight, "\(moment): task \(index), guilty \(guilty), ran \(runs) times and has a result")
        case .failure(let error):
          let isRight = index == guilty && error.code == TaskCell.code(thrownAt: moment)
          findings.check(
            isRight, "\(moment): task \(index), guilty \(guilty), failed with \(error.code): \(error)")
        }
      }
    }
  }
}

/// Leaves the thread behind that waits for a large argument, and keeps the worker from taking the next of these.
func lieInWait(_ failure: Int) -> Int {
  if !Ambush.isLaid {
    Ambush.isLaid = true
    stress_when_grown(getpid(), 4 << 20, Int32(failure))
  }
  usleep(5000)
  return Int(getpid())
}

private enum Ambush {
  // Sound: in a worker one task runs at a time.
  nonisolated(unsafe) static var isLaid = false
}

func weigh(_ bytes: [UInt8]) -> Int {
  RunLog.add(Freight.index(of: bytes))
  return Freight.isWhole(bytes) ? bytes.count : -1
}

func deliver(_ input: Int) -> [UInt8] {
  let index = input & 0xffff_ffff
  RunLog.add(index)
  guard input >> 32 != 0 else { return Freight.make(index, count: Freight.small) }
  let bytes = Freight.make(index, count: Freight.large)
  stress_when_grown(getppid(), 4 << 20, Int32(input >> 32) - 1)
  return bytes
}

func ship(_ shipment: Shipment) throws -> Shipment {
  RunLog.add(shipment.index)
  if shipment.moment == .call { throw LargeError(bytes: Freight.make(shipment.index, count: Freight.large)) }
  var result = shipment
  result.isResult = true
  return result
}

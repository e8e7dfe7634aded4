import Apus
import Glibc
import StressSupport

/// One call of a kind that chance picks, and whether its results are right.
struct MixedCalls: Sendable {
  let pool: ProcessPool
  let findings: Findings
  let calls = Counter()
  let cancelled = Counter()

  // MARK: From tasks

  func step(_ random: inout Random) async {
    calls.add()
    let base = random.below(1 << 30)
    let count = 1 + random.below(60)
    let work = random.below(10) == 0 ? 100_000 : 1000
    let inputs = (0..<count).map { Probe(base + $0, work: work) }
    let kind = random.below(8)
    do {
      switch kind {
      case 0: check(try await pool.map(inputs, respond), base, count, "map")
      case 1: check(try await pool.map(0..<count, with: base, respondWith), base, count, "map with a context")
      case 2:
        check(try await pool.outcomes(of: inputs, respond).map { try $0.get() }, base, count, "outcomes")
      case 3: check([try await pool.run(inputs[0], respond)], base, 1, "run")
      case 4: try await brokenOff(inputs, base, stop: random.below(count + 1))
      case 5: try await find(base, count, random.below(count))
      case 6: try await submitted(inputs, base, &random)
      default: await cancelledCall(base, delay: random.below(3000))
      }
    } catch { findings.violation("a call (\(kind)) threw \(error)") }
  }

  private func brokenOff(_ inputs: [Probe], _ base: Int, stop: Int) async throws {
    var index = 0
    for try await answer in pool.results(of: inputs, respond) {
      findings.check(answer.value == value(of: base + index), "results: number \(index) is wrong")
      index += 1
      if index == stop { break }
    }
    findings.check(index == (stop == 0 ? inputs.count : stop), "results: \(index) came of \(inputs.count)")
  }

  private func find(_ base: Int, _ count: Int, _ wanted: Int) async throws {
    let found = try await pool.first(in: 0..<count, with: wanted) { wanted, index in index >= wanted }
    findings.check(found == wanted, "first: found \(found ?? -1), not \(wanted)")
  }

  private func submitted(_ inputs: [Probe], _ base: Int, _ random: inout Random) async throws {
    let handles = inputs.prefix(10).map { pool.submit($0, respond) }
    let doomed = random.below(2 * handles.count)
    if doomed < handles.count { handles[doomed].cancel() }
    for (index, handle) in handles.enumerated() {
      do {
        let answer = try await handle.value
        findings.check(answer.value == value(of: base + index), "submit: number \(index) is wrong")
        findings.check(handle.state == .finished, "submit: a task with a value is \(handle.state)")
      } catch {
        // Cancelled by its own handle: then it may have been done before.
        if index == doomed {
          cancelled.add()
        } else {
          findings.violation("submit: number \(index) failed: \(error)")
        }
      }
    }
  }

  /// A call that would take seconds, in a task that is cancelled.
  private func cancelledCall(_ base: Int, delay: Int) async {
    let pool = pool
    let call = Task { try await pool.map((0..<2000).map { Probe(base + $0, work: 1_000_000) }, respond) }
    try? await Task.sleep(for: .microseconds(delay))
    call.cancel()
    do {
      _ = try await call.value
      findings.violation("a cancelled call has returned")
    } catch {
      let isRight = error is CancellationError || (error as? TaskError)?.code == .cancelled
      findings.check(isRight, "a cancelled call threw \(error)")
      cancelled.add()
    }
  }

  // MARK: From threads

  func blockingStep(_ random: inout Random) {
    calls.add()
    let base = random.below(1 << 30)
    let count = 1 + random.below(60)
    let inputs = (0..<count).map { Probe(base + $0, work: 2000) }
    let kind = random.below(6)
    do {
      switch kind {
      case 0: check(try pool.map(inputs, respond), base, count, "blocking map")
      case 1:
        let results = try pool.map(Array(base..<base + 1000), plainRespond)
        findings.check(results == (base..<base + 1000).map(value(of:)), "blocking map of integers")
      case 2: check([try pool.run(inputs[0], respond)], base, 1, "blocking run")
      case 3:
        let found = try pool.first(in: 0..<count, with: count / 2) { wanted, index in index >= wanted }
        findings.check(found == count / 2, "blocking first: found \(found ?? -1)")
      case 4:
        let results = pool.results(of: 0..., order: .input, window: 8, plainRespond)
        for index in 0..<count {
          findings.check(try results.next() == value(of: index), "blocking results: \(index)")
        }
      default:
        let answer = try pool.submit(inputs[0], respond).wait()
        findings.check(answer.value == value(of: base), "blocking submit")
      }
    } catch { findings.violation("a blocking call (\(kind)) threw \(error)") }
  }

  private func check(_ answers: [Answer], _ base: Int, _ count: Int, _ label: String) {
    let isRight = answers.map(\.value) == (base..<base + count).map(value(of:))
    findings.check(isRight, "\(label): wrong results")
  }
}

func respond(_ probe: Probe) -> Answer {
  // A cancelled one stops by itself most of the time, or else costs a worker.
  if probe.work >= 1_000_000 {
    for _ in 0..<1000 where !PoolTask.isCancelled { spin(nanoseconds: 1000) }
  } else {
    spin(nanoseconds: probe.work)
  }
  return Answer(value(of: probe.index), plan: nil)
}

func respondWith(_ base: Int, _ index: Int) -> Answer { Answer(value(of: base + index), plan: nil) }

func plainRespond(_ index: Int) -> Int { value(of: index) }

import Apus
import Glibc
import StressSupport

/// Inputs are drawn as they are needed: never more than the window ahead of what was handed out.
struct Laziness: Scenario {
  private let findings: Findings
  private let count = Settings.number("inputs", default: 200_000)
  private let workers = 2

  init(_ findings: Findings) { self.findings = findings }

  /// Numbers that know how many of them were drawn.
  final class Drawing: Sendable {
    let drawn = Counter()
    let count: Int
    init(_ count: Int) { self.count = count }

    func next() -> Int? {
      guard drawn.value < count else { return nil }
      drawn.add()
      return drawn.value - 1
    }

    var inputs: AnyIterator<Int> { AnyIterator { self.next() } }

    var asynchronousInputs: AsyncStream<Int> { AsyncStream { self.next() } }
  }

  func run() async throws {
    let pool = try ProcessPool(workers: workers)
    // What the documentation of `results(of:)` promises: eight a worker.
    let window = 8 * workers
    var worst = 0
    for order in [ResultOrder.input, .completion] {
      worst = max(worst, try await synchronous(pool, order, window))
      worst = max(worst, try await blocking(pool, order, window))
      // The feeder holds one, and has drawn the next one before it looks whether there is room.
      worst = max(worst, try await asynchronous(pool, order, window + 2))
      worst = max(worst, try await narrow(pool, order))
    }
    try await brokenOff(pool, window)
    findings.figure("ahead", worst)
    await pool.shutdown()
  }

  /// Follows a run: what was handed out, how far the drawing was ahead, whether each input came once.
  private struct Account {
    let order: ResultOrder
    var handed = 0
    var worst = 0
    private var sum = 0

    init(_ order: ResultOrder) { self.order = order }

    mutating func take(_ result: Int, _ drawing: Drawing, _ findings: Findings) {
      // Looked at before the count, since this one is in the consumer's hands only now.
      worst = max(worst, drawing.drawn.value - handed)
      if order == .input, result != value(of: handed) {
        findings.violation("result \(handed) is wrong or out of order")
      }
      sum &+= result
      handed += 1
      // A consumer that is slow now and then.
      if handed % 20_000 == 0 { usleep(3000) }
    }

    func check(_ drawing: Drawing, _ limit: Int, _ findings: Findings, _ label: String) {
      var all = 0
      for index in 0..<drawing.count { all &+= value(of: index) }
      findings.check(
        handed == drawing.count && sum == all,
        "\(label): \(handed) results of \(drawing.count), or wrong ones")
      findings.check(worst <= limit, "\(label): \(worst) inputs were drawn ahead, not \(limit) at most")
    }
  }

  private func synchronous(_ pool: ProcessPool, _ order: ResultOrder, _ limit: Int) async throws -> Int {
    let drawing = Drawing(count)
    var account = Account(order)
    for try await result in pool.results(of: drawing.inputs, order: order, uneven) {
      account.take(result, drawing, findings)
    }
    account.check(drawing, limit, findings, "\(order), asynchronous")
    return account.worst
  }

  private func blocking(_ pool: ProcessPool, _ order: ResultOrder, _ limit: Int) async throws -> Int {
    let (count, findings) = (count, findings)
    return try await onThread {
      let drawing = Drawing(count)
      var account = Account(order)
      let results = pool.results(of: drawing.inputs, order: order, uneven)
      while let result = try results.next() { account.take(result, drawing, findings) }
      account.check(drawing, limit, findings, "\(order), blocking")
      return account.worst
    }
  }

  private func asynchronous(_ pool: ProcessPool, _ order: ResultOrder, _ limit: Int) async throws -> Int {
    let drawing = Drawing(count / 10)
    var account = Account(order)
    for try await result in pool.results(of: drawing.asynchronousInputs, order: order, uneven) {
      account.take(result, drawing, findings)
    }
    account.check(drawing, limit, findings, "\(order), asynchronous inputs")
    return account.worst
  }

  /// A window of the caller's own, smaller than the number of workers.
  private func narrow(_ pool: ProcessPool, _ order: ResultOrder) async throws -> Int {
    let drawing = Drawing(count / 10)
    var account = Account(order)
    for try await result in pool.results(of: drawing.inputs, order: order, window: 1, uneven) {
      account.take(result, drawing, findings)
    }
    account.check(drawing, 1, findings, "\(order), a window of one")
    return account.worst
  }

  /// An endless sequence, left in the middle.
  private func brokenOff(_ pool: ProcessPool, _ window: Int) async throws {
    for round in 0..<50 {
      let drawing = Drawing(.max)
      var handed = 0
      for try await _ in pool.results(
        of: drawing.inputs, order: round % 2 == 0 ? .input : .completion, uneven)
      {
        handed += 1
        if handed == 100 + round { break }
      }
      findings.check(
        drawing.drawn.value <= handed + window,
        "broken off: \(drawing.drawn.value) drawn for \(handed) results")
    }
  }
}

/// One task in a thousand takes a hundred times as long as the others.
func uneven(_ index: Int) -> Int {
  if index % 1000 == 7 { spin(nanoseconds: 200_000) }
  return value(of: index)
}

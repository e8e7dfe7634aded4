import TestSupport
import Testing

/// Taking tasks back from a worker in every interleaving: `EngineWorker.revoke` against `_RawRun.forEach` and
/// `WorkerLoop.mayStart`. No task is run twice, and none is lost.
@Suite(.blocks) struct SleepRevokeTests {
  typealias Instruction = SleepModel.Instruction

  private enum Word {
    static let progress = 0, gate = 1, revocation = 2, from = 3, to = 4, tail = 5
    static let count = 6
  }
  private enum State { static let none = 0, deciding = 1, decided = 2 }
  private static let open = 1 << 20

  enum Omission: CaseIterable {
    /// The parent's membarrier (and, where there is none, the worker's fence).
    case barrier
    /// The worker's look at what was decided.
    case look
    /// The worker's waiting while the parent decides.
    case deciding
    /// The limits are written after the decision is announced.
    case orderOfTheDecision
    /// The gate stays open.
    case gate
    /// The claim is made after the look at the gate.
    case claimFirst
  }

  /// Registers: 0 scratch, 1 the task in hand, 2 those it ran (a bit each), 3 how many there are, 4 where it
  /// skips to.
  private func worker(count: Int, fences: Bool, without omission: Omission?) -> [Instruction] {
    let claim: [Instruction] = [.store(Word.progress) { 2 * $0[1] + 1 }] + (fences ? [.fence] : [])
    let atTheGate: [Instruction] = [
      .load(Word.gate, into: 0),
      .jump(if: { $0[0] > $0[1] }, to: "run"),
    ]
    var program: [Instruction] = [
      .label("wait"),
      .load(Word.tail, into: 3),
      .jump(if: { $0[3] <= $0[1] }, to: "wait"),
      .label("next"),
    ]
    if omission == .claimFirst {
      // As if the compiler had moved the load up.
      program += [.load(Word.gate, into: 0)] + claim + [.jump(if: { $0[0] > $0[1] }, to: "run")]
    } else {
      program += claim + atTheGate
    }
    // mayStart
    if omission != .deciding {
      program += [
        .label("deciding"),
        .load(Word.revocation, into: 0),
        .jump(if: { $0[0] == State.deciding }, to: "deciding"),
      ]
    }
    if omission != .look {
      program += [
        .load(Word.revocation, into: 0),
        .jump(if: { $0[0] != State.decided }, to: "run"),
        .load(Word.to, into: 4),
        .jump(if: { $0[1] >= $0[4] }, to: "run"),
        .load(Word.from, into: 0),
        .jump(if: { $0[1] < $0[0] }, to: "run"),
        .store(Word.progress) { 2 * $0[4] },
        .compute { $0[1] = $0[4] },
        .jump(if: { _ in true }, to: "done"),
      ]
    }
    return program + [
      .label("run"),
      .compute {
        // A bit from the 16th on says that a task ran once more than it should.
        if $0[2] & (1 << $0[1]) != 0 { $0[2] |= 1 << ($0[1] + 16) }
        $0[2] |= 1 << $0[1]
      },
      .store(Word.progress) { 2 * $0[1] + 2 },
      .compute { $0[1] += 1 },
      .label("done"),
      .jump(if: { $0[1] < $0[3] }, to: "next"),
      .jump(if: { $0[1] < count }, to: "wait"),
    ]
  }

  /// Registers: 0 scratch, 1 the first that is taken back, 2 those taken back (a bit each).
  private func parent(batches: [Int], fences: Bool, without omission: Omission?) -> [Instruction] {
    var program: [Instruction] = [.store(Word.gate) { _ in fences ? 0 : Self.open }]
    for (round, end) in batches.enumerated() {
      program += [.store(Word.tail) { _ in end }, .store(Word.revocation) { _ in State.deciding }]
      if omission != .gate { program.append(.store(Word.gate) { _ in 0 }) }
      // The store is an exchange (sequentially consistent): the own buffer is empty after it in any case.
      program.append(omission == .barrier || fences ? .fence : .barrierAll)
      program += [
        .load(Word.progress, into: 0),
        .compute { $0[1] = min($0[0] / 2 + ($0[0] & 1), end) },
      ]
      let limits: [Instruction] = [.store(Word.from) { $0[1] }, .store(Word.to) { _ in end }]
      let decision: Instruction = .store(Word.revocation) { _ in State.decided }
      program += omission == .orderOfTheDecision ? [decision] + limits : limits + [decision]
      program += [
        .compute { for task in $0[1]..<end { $0[2] |= 1 << task } },
        // Until the worker has passed them: `checkRevocation`.
        .label("passed \(round)"),
        .load(Word.progress, into: 0),
        .jump(if: { $0[0] < 2 * end }, to: "passed \(round)"),
        .store(Word.revocation) { _ in State.none },
        .store(Word.gate) { _ in fences ? 0 : Self.open },
      ]
    }
    return program
  }

  private func revoke(batches: [Int], fences: Bool = false, without omission: Omission? = nil) -> (
    states: Int, problem: String?
  ) {
    let count = batches.last!
    return SleepModel(
      programs: [
        worker(count: count, fences: fences && omission != .barrier, without: omission),
        parent(batches: batches, fences: fences, without: omission),
      ], words: Word.count, registers: 5,
      verdict: { state, ended in
        if !ended.allSatisfy({ $0 }) { return "somebody waits for ever" }
        let (ran, taken) = (state.threads[0].registers[2], state.threads[1].registers[2])
        if ran >> 16 != 0 || ran & taken != 0 { return "a task is run twice" }
        return ran | taken == (1 << count) - 1 ? nil : "a task is lost"
      }
    ).explore()
  }

  @Test(arguments: [[1], [2], [4], [2, 4], [1, 2, 3], [3, 4, 6]], [false, true])
  func everyTaskIsRunOnceOrTakenBack(batches: [Int], fences: Bool) {
    let result = revoke(batches: batches, fences: fences)
    #expect(result.problem == nil)
    #expect(result.states > 30)
  }

  @Test(arguments: Omission.allCases)
  func eachStepIsNeeded(omission: Omission) {
    let problems = [[2], [4], [2, 4]].compactMap { revoke(batches: $0, without: omission).problem }
    #expect(!problems.isEmpty)
  }

  // MARK: Giving a worker up

  /// What a worker that can't be killed finds at its gate once it was given up (`HostedWorker.kill`) before it had passed
  /// what was taken back.
  enum GivingUp: CaseIterable {
    case keepsTheRange
    /// It is looked again which task was begun: one that had only come to the gate then counts as begun.
    case decidesAnew
    /// As after sleeping, or after what was taken back has been passed.
    case opensTheGate
  }

  @Test(arguments: GivingUp.allCases, [1, 2, 3])
  func whatIsGivenUpBeginsNothingThatWasTakenBack(way: GivingUp, count: Int) {
    let decide: [Instruction] = [
      .store(Word.revocation) { _ in State.deciding },
      .store(Word.gate) { _ in 0 },
      .barrierAll,
      .load(Word.progress, into: 0),
      .compute { $0[1] = min($0[0] / 2 + ($0[0] & 1), count) },
      .store(Word.from) { $0[1] },
      .store(Word.to) { _ in count },
      .store(Word.revocation) { _ in State.decided },
    ]
    var parent: [Instruction] = [.store(Word.gate) { _ in Self.open }, .store(Word.tail) { _ in count }]
    parent += decide
    parent.append(.compute { for task in $0[1]..<count { $0[2] |= 1 << task } })
    switch way {
    case .keepsTheRange: break
    case .decidesAnew: parent += decide
    case .opensTheGate:
      parent += [.store(Word.revocation) { _ in State.none }, .store(Word.gate) { _ in Self.open }]
    }
    let result = SleepModel(
      programs: [worker(count: count, fences: false, without: nil), parent], words: Word.count, registers: 5,
      verdict: { state, ended in
        if !ended.allSatisfy({ $0 }) { return "somebody waits for ever" }
        let (ran, taken) = (state.threads[0].registers[2], state.threads[1].registers[2])
        return ran >> 16 != 0 || ran & taken != 0 ? "a task is run twice" : nil
      }
    ).explore()
    #expect((result.problem == nil) == (way == .keepsTheRange), "\(result.problem ?? "nothing")")
  }

  @Test func whereTheKernelHasNoBarrierTheWorkersFenceIsNeeded() {
    #expect(revoke(batches: [2, 4], fences: true, without: .barrier).problem != nil)
  }
}

import TestSupport
import Testing

/// Sleeping and waking in every interleaving: no wake-up is lost. And the tests can fail: without any one of
/// the steps that the protocol has for this, one is.
@Suite(.blocks) struct SleepModelTests {
  typealias Instruction = SleepModel.Instruction

  /// Steps of the protocol that a variant leaves out.
  enum Omission: CaseIterable {
    case fenceOfTheParent, fenceOfTheWorker, secondLook, waking, clearingBeforeWaking
  }

  // MARK: The worker sleeps: `Channel.sleepAsWorker` and `Channel.wakeWorker`

  private enum Word { static let tail = 0, sleeping = 1 }

  private func worker(count: Int, without omission: Omission?) -> [Instruction] {
    var program: [Instruction] = [
      .label("look"),
      .load(Word.tail, into: 0),
      .jump(if: { $0[0] == $0[1] }, to: "sleep"),
      .compute { $0[1] = $0[0] },  // takes all there is
      .jump(if: { $0[1] == count }, to: "end"),
      .jump(if: { _ in true }, to: "look"),
      .label("sleep"),
      .store(Word.sleeping) { _ in 1 },
    ]
    if omission != .fenceOfTheWorker { program.append(.fence) }
    if omission != .secondLook {
      program += [.load(Word.tail, into: 0), .jump(if: { $0[0] != $0[1] }, to: "awake")]
    }
    return program + [
      .futexWait(Word.sleeping, 1),
      .label("awake"),
      .store(Word.sleeping) { _ in 0 },
      .jump(if: { _ in true }, to: "look"),
      .label("end"),
    ]
  }

  private func parent(count: Int, without omission: Omission?) -> [Instruction] {
    (1...count).flatMap { number -> [Instruction] in
      var program: [Instruction] = [.store(Word.tail) { _ in number }]
      if omission != .fenceOfTheParent { program.append(.fence) }
      program += [.load(Word.sleeping, into: 0), .jump(if: { $0[0] == 0 }, to: "awake \(number)")]
      if omission != .clearingBeforeWaking { program.append(.store(Word.sleeping) { _ in 0 }) }
      if omission != .waking { program.append(.futexWake(Word.sleeping)) }
      return program + [.label("awake \(number)")]
    }
  }

  private func sleep(count: Int, without omission: Omission?) -> (states: Int, problem: String?) {
    SleepModel(
      programs: [worker(count: count, without: omission), parent(count: count, without: omission)], words: 2,
      registers: 2,
      verdict: { state, ended in
        if ended.allSatisfy({ $0 }) { return nil }
        return
          "the worker sleeps although \(state.words[Word.tail] - state.threads[0].registers[1]) tasks wait"
      }
    ).explore()
  }

  @Test(arguments: 1...4) func aSleepingWorkerIsWoken(count: Int) {
    let result = sleep(count: count, without: nil)
    #expect(result.problem == nil)
    #expect(result.states > 30 * count)
  }

  /// The wake clears the word, or a futex wait that begins after the wake would sleep.
  @Test(arguments: Omission.allCases) func eachStepIsNeeded(omission: Omission) {
    #expect(sleep(count: 3, without: omission).problem != nil)
  }

  // MARK: The parent sleeps: `EngineWorker.requestWakeUp`, `PoolEngine.sleepUntilNews`, `WorkerLoop.notify`

  private enum Bell { static let tail = 0, wakeUpRequest = 1, doorbell = 2 }

  enum BellOmission: CaseIterable { case barrier, secondLook, ringing }

  /// `fences`: the kernel has no barrier for the worker, so it fences for itself (`Channel.needsFences`).
  private func doorbell(count: Int, fences: Bool, without omission: BellOmission?) -> String? {
    let worker = (1...count).flatMap { number -> [Instruction] in
      var program: [Instruction] = [.store(Bell.tail) { _ in number }]
      if fences { program.append(.fence) }
      program += [
        .load(Bell.wakeUpRequest, into: 0), .jump(if: { $0[0] == 0 }, to: "done \(number)"),
        .exchange(Bell.wakeUpRequest, 0, into: 0), .jump(if: { $0[0] == 0 }, to: "done \(number)"),
      ]
      if omission != .ringing { program.append(.ring(Bell.doorbell)) }
      return program + [.label("done \(number)")]
    }
    var parent: [Instruction] = [
      .label("look"),
      .load(Bell.tail, into: 0),
      .jump(if: { $0[0] == $0[1] }, to: "arm"),
      .label("take"),
      .compute { $0[1] = $0[0] },
      .store(Bell.wakeUpRequest) { _ in 0 },
      .jump(if: { $0[1] == count }, to: "end"),
      .jump(if: { _ in true }, to: "look"),
      .label("arm"),
      .store(Bell.wakeUpRequest) { _ in 1 },
    ]
    // Where the worker fences for itself the system call orders the parent's own side and no more.
    if omission != .barrier { parent.append(fences ? .fence : .barrierAll) }
    if omission != .secondLook {
      parent += [.load(Bell.tail, into: 0), .jump(if: { $0[0] != $0[1] }, to: "take")]
    }
    parent += [.waitForRing(Bell.doorbell), .jump(if: { _ in true }, to: "look"), .label("end")]
    return SleepModel(
      programs: [worker, parent], words: 3, registers: 2,
      verdict: { _, ended in ended.allSatisfy { $0 } ? nil : "the parent sleeps although there are results" }
    ).explore().problem
  }

  @Test(arguments: 1...4, [false, true]) func aSleepingParentIsRung(count: Int, fences: Bool) {
    #expect(doorbell(count: count, fences: fences, without: nil) == nil)
  }

  /// A worker is taken in while a thread sleeps already: `PoolEngine.adopt`. Who takes it in does not sleep, and rings in
  /// the worker's place if that may not have seen that it should.
  private func adoption(fences: Bool, without omission: BellOmission?) -> String? {
    var worker: [Instruction] = [.store(Bell.tail) { _ in 1 }]  // `Channel.ready`
    if fences { worker.append(.fence) }
    worker += [.load(Bell.wakeUpRequest, into: 0), .jump(if: { $0[0] == 0 }, to: "end")]
    if omission != .ringing { worker.append(.ring(Bell.doorbell)) }
    worker.append(.label("end"))
    var parent: [Instruction] = [.store(Bell.wakeUpRequest) { _ in 1 }]
    if omission != .barrier { parent.append(fences ? .fence : .barrierAll) }
    if omission != .secondLook {
      parent += [
        .load(Bell.tail, into: 0), .jump(if: { $0[0] == 0 }, to: "end"), .ring(Bell.doorbell), .label("end"),
      ]
    }
    return SleepModel(
      programs: [worker, parent, [.waitForRing(Bell.doorbell)]], words: 3, registers: 2,
      verdict: { _, ended in ended[2] ? nil : "nobody is told that the worker is ready" }
    ).explore().problem
  }

  @Test(arguments: [false, true]) func aWorkerThatIsTakenInWakesTheSleepers(fences: Bool) {
    #expect(adoption(fences: fences, without: nil) == nil)
    for omission in BellOmission.allCases { #expect(adoption(fences: fences, without: omission) != nil) }
  }

  @Test(arguments: BellOmission.allCases, [false, true])
  func eachStepOfThatIsNeeded(omission: BellOmission, fences: Bool) {
    #expect(doorbell(count: 2, fences: fences, without: omission) != nil)
  }
}

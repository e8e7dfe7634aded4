package import ApusSystem
import CApus
import Glibc

/// One run of many commands: draws inputs, starts jobs, tries them again, and tells what became of them.
///
///     source ──draw──► start ──► over ──► a success, or no try left ──► log ──► shown
///                        ▲        └── tried again, after a while ──┐
///                        └─────────────────────────────────────────┘
///
/// Used on its reactor's thread.
package final class JobRun {
  /// How the run has gone so far.
  package struct Progress: Sendable {
    package var (started, succeeded, failed, skipped, cutOff) = (0, 0, 0, 0, 0)
    /// The first job that failed.
    package var firstFailure: (label: String, ending: JobEnding)?
    package var isHalted = false
    package var over: Int { succeeded + failed }
  }

  package let reactor: Reactor
  package let supervisor: ProgramSupervisor
  package private(set) var progress = Progress()
  /// Why it can't go on.
  package private(set) var problem: ProgramProblem?
  /// Called with each job that is over, on the reactor's thread.
  package var whenOver: (Job, JobEnding) -> Void = { _, _ in }

  private let options: RunOptions
  private let template: CommandTemplate
  private let source: any InputSource
  private let makeRequest: (_ command: [ByteString]) throws(StartFailure) -> SpawnRequest
  private let log: JobLog?
  private let logMode: JobLog.Mode
  private let folder: ByteString
  private var queue: OutputQueue!
  private var isAtEnd = false
  private var number = 0
  /// How often each identity was met: only of those met more than once is more than the identity itself needed.
  private var seen: [JobIdentity: Int] = [:]
  /// Jobs to be tried again, and when.
  private var again: [(job: Job, at: UInt64)] = []
  private var running: [Int: Job] = [:]
  private var inputWatch: Reactor.Watch?
  private var wait: ReactorTimer?
  private var mayStartAt: UInt64 = 0
  /// Another try of what could not be started for want of something waits until a job has ended.
  private var waitsForEnd = false

  package init(
    _ template: CommandTemplate, _ source: any InputSource, _ options: RunOptions, log: JobLog?,
    logMode: JobLog.Mode,
    folder: ByteString, on reactor: Reactor, staysInThread: Bool,
    request: @escaping (_ command: [ByteString]) throws(StartFailure) -> SpawnRequest
  ) {
    (self.template, self.source, self.options, self.log, self.logMode) = (
      template, source, options, log, logMode
    )
    (self.folder, self.reactor, makeRequest) = (folder, reactor, request)
    supervisor = ProgramSupervisor(width: options.width, on: reactor, staysInThread: staysInThread)
    queue = OutputQueue(keepsOrder: options.keepsOrder, on: reactor) { [unowned self] in supervisor.fill() }
    supervisor.draw = { [unowned self] in draw($0) }
  }

  package func start() { supervisor.fill() }

  /// Whether nothing runs and nothing is left to do or to show.
  package var isOver: Bool { supervisor.count == 0 && isDrained && queue.count == 0 }

  private var isDrained: Bool { progress.isHalted || problem != nil || isAtEnd && again.isEmpty }

  /// Starts nothing more.
  package func halt() {
    progress.isHalted = true
    wait?.cancel()
    if let inputWatch { reactor.stop(inputWatch) }
  }

  /// Starts nothing more, and ends what runs.
  package func end(_ reason: SupervisedProgram.Reason) {
    halt()
    for program in supervisor.running { program.end(reason) }
  }

  package func kill() {
    halt()
    for program in supervisor.running { program.kill(.asked) }
  }

  private func fail(_ problem: ProgramProblem) {
    if self.problem == nil { self.problem = problem }
    end(.asked)
  }

  // MARK: Drawing

  private func draw(_ slot: Int) -> ProgramSupervisor.Next {
    guard !progress.isHalted, problem == nil, !waitsForEnd else { return .later }
    // A reader that is slow, or a job that holds up those behind it.
    guard queue.count < (options.keepsOrder ? 4096 : 256) else { return .later }
    let now = apus_now()
    guard now >= mayStartAt else { return later(at: mayStartAt) }
    guard hasRoom() else { return later(at: now + 200_000_000) }
    do throws(ProgramProblem) {
      while !progress.isHalted, problem == nil, let job = try nextJob(now) {
        mayStartAt = now + options.delay
        if let next = try start(job, slot) { return next }
      }
    } catch {
      fail(error)
    }
    return .later
  }

  private func later(at time: UInt64) -> ProgramSupervisor.Next {
    wait?.cancel()
    wait = reactor.at(time) { [unowned self] in supervisor.fill() }
    return .later
  }

  /// Whether the machine has room for another: one runs in any case.
  private func hasRoom() -> Bool {
    guard supervisor.count > 0 else { return true }
    if let least = options.freeMemory, let free = MachineLoad.freeMemory, free < least { return false }
    if let most = options.load, MachineLoad.load >= most { return false }
    return true
  }

  private func nextJob(_ now: UInt64) throws(ProgramProblem) -> Job? {
    if let index = again.firstIndex(where: { $0.at <= now }) { return again.remove(at: index).job }
    while !isAtEnd {
      switch try source.next() {
      case .end: isAtEnd = true
      case .waiting(let descriptor):
        watchInput(descriptor)
        return nil
      case .row(let row):
        number += 1
        let job = Job(number, row, try identity(row))
        if isToBeDone(job) { return job }
        progress.skipped += 1
        queue.add(nil, number: job.number)
      }
    }
    if let next = again.map(\.at).min() { _ = later(at: next) }
    return nil
  }

  private func identity(_ row: InputRow) throws(ProgramProblem) -> JobIdentity {
    guard log != nil else { return JobIdentity(0) }
    // Not by its number: that of a job changes with the inputs before it.
    var identity = JobIdentity(try template.command(row, number: 0, slot: nil), folder: folder)
    let times = seen[identity, default: 0]
    seen[identity] = times + 1
    for _ in 0..<times { identity = identity.next() }
    return identity
  }

  private func isToBeDone(_ job: Job) -> Bool {
    guard let log else { return true }
    return switch logMode {
    case .new: true
    case .resume: !log.past.succeeded.contains(job.identity)
    case .retryFailed: log.past.failed.contains(job.identity)
    }
  }

  private func watchInput(_ descriptor: Int32) {
    guard inputWatch == nil else { return }
    do {
      inputWatch = try reactor.whenReadable(descriptor) { [unowned self] in
        if let inputWatch { reactor.stop(inputWatch) }
        inputWatch = nil
        supervisor.fill()
      }
    } catch {
      fail(.file("the inputs can't be waited for: \(error)"))
    }
  }

  // MARK: One job

  /// Nil if it is over already, since it can't be started.
  private func start(_ job: Job, _ slot: Int) throws(ProgramProblem) -> ProgramSupervisor.Next? {
    let command = try template.command(job.row, number: job.number, slot: slot)
    job.tries += 1
    if job.tries == 1 { progress.started += 1 }
    let order: ProgramOrder
    do throws(StartFailure) { order = try self.order(job, command) } catch {
      failToStart(job, command, slot, error)
      return nil
    }
    return .program(
      order,
      whenStarted: { [unowned self] in started(job, command, slot, $0) },
      whenOver: { [unowned self] in ended(job, command, slot, $0) })
  }

  private func failToStart(_ job: Job, _ command: [ByteString], _ slot: Int, _ problem: StartFailure) {
    var ending = JobEnding()
    (ending.problem, ending.slot) = (problem, slot)
    (ending.started, ending.ended) = (apus_now(), apus_now())
    over(job, command, ending)
  }

  private func order(_ job: Job, _ command: [ByteString]) throws(StartFailure) -> ProgramOrder {
    var order = ProgramOrder(try makeRequest(command))
    (order.timeLimit, order.grace, order.background) = (options.timeLimit, options.grace, options.background)
    if options.output != .raw {
      if job.output == nil {
        do throws(ProcessError) { job.output = try JobOutput(options.output, label: job.label) } catch {
          throw StartFailure(error)
        }
      }
      let output = job.output!
      showInTurn(job)
      order.output = { (source) throws(ProcessError) in try output.output.makeRelay(source) }
      order.errors = { (source) throws(ProcessError) in try output.errors.makeRelay(source) }
    }
    return order
  }

  /// A job whose turn it is need not be kept; but what a try prints that is made again is not shown.
  private func showInTurn(_ job: Job) {
    if options.retries == 0, queue.turn == job.number { job.output?.showAtOnce() }
  }

  private func started(
    _ job: Job, _ command: [ByteString], _ slot: Int, _ result: Result<SupervisedProgram, ProcessError>
  ) {
    switch result {
    case .success(let program):
      running[job.number] = job
      // What it prints would be lost (a full disk), and it might print without end.
      job.output?.whenLost = { [unowned program] in program.kill(.output(errno: $0)) }
    case .failure(let problem):
      if supervisor.count > 0, [.noDescriptors, .noProcesses, .noMemory].contains(problem.code) {
        job.tries -= 1
        if job.tries == 0 { progress.started -= 1 }
        again.insert((job, 0), at: 0)
        waitsForEnd = true
        return
      }
      failToStart(job, command, slot, StartFailure(problem))
    }
  }

  private func ended(_ job: Job, _ command: [ByteString], _ slot: Int, _ program: SupervisedProgram) {
    running[job.number] = nil
    waitsForEnd = false
    var ending = JobEnding()
    (ending.status, ending.reason, ending.usage) = (program.status, program.reason, program.usage)
    (ending.started, ending.ended, ending.slot) = (program.started, apus_now(), slot)
    over(job, command, ending)
  }

  private func over(_ job: Job, _ command: [ByteString], _ ending: JobEnding) {
    // One that was ended with the run has not failed: it is done when the run goes on.
    if ending.reason == .asked {
      progress.cutOff += 1
      return queue.add(job.output, number: job.number)
    }
    do throws(ProgramProblem) { try log?.note(job, command, ending) } catch { fail(error) }
    if !ending.isSuccess, !progress.isHalted, problem == nil, job.tries <= options.retries {
      job.output?.clear()
      let shift = UInt64(min(job.tries - 1, 20))
      again.append((job, apus_now() + min(options.retryDelay << shift, 3600 * 1_000_000_000)))
      return
    }
    if ending.isSuccess {
      progress.succeeded += 1
    } else {
      progress.failed += 1
      if progress.firstFailure == nil { progress.firstFailure = (job.label, ending) }
    }
    whenOver(job, ending)
    haltIfDue()
    // Last: what has been shown makes room for more.
    queue.add(job.output, number: job.number)
    if let turn = queue.turn, let next = running[turn] { showInTurn(next) }
  }

  private func haltIfDue() {
    guard let halt = options.halt, !progress.isHalted else { return }
    let count = halt.cause == .failures ? progress.failed : progress.succeeded
    let isDue =
      halt.count.map { count >= $0 }
      ?? (progress.over >= 3 && Double(count) >= halt.fraction! * Double(progress.over))
    guard isDue else { return }
    if halt.isNow { end(.asked) } else { self.halt() }
  }
}

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
    /// Whether it was given up because of what `halt` says.
    package var hasGivenUp = false
    package var over: Int { succeeded + failed }
  }

  package let reactor: Reactor
  package let supervisor: ProgramSupervisor
  package internal(set) var progress = Progress()
  /// Why it can't go on.
  package internal(set) var problem: ProgramProblem?
  /// Called with each job that is over, on the reactor's thread.
  package var whenOver: (Job, JobEnding) -> Void = { _, _ in }
  /// Called before a job that has failed is tried again.
  package var whenTriedAgain: (Job, JobEnding) -> Void = { _, _ in }

  let events: EventStream
  let eventSource = Event.Source("run")
  let options: RunOptions
  private let source: JobSource
  private let makeRequest:
    (_ job: Job, _ slot: Int, _ command: [ByteString]) throws(StartFailure) -> SpawnRequest
  let log: JobLog?
  var queue: OutputQueue!
  private var isAtEnd = false
  /// Jobs to be tried again, and when.
  var again: [(job: Job, at: UInt64)] = []
  var running: [Int: Job] = [:]
  private var inputWatch: Reactor.Watch?
  private var wait: ReactorTimer?
  private var mayStartAt: UInt64 = 0
  /// Whether a job runs that none may run beside.
  private var isOneAlone = false
  /// Another try of what could not be started for want of something waits until a job has ended.
  private var waitsForEnd = false

  /// - Parameter staysInThread: Whether the calling thread lives as long as the process.
  package init(
    _ source: JobSource, _ options: RunOptions, log: JobLog?, events: EventStream = .shared,
    on reactor: Reactor,
    staysInThread: Bool,
    request: @escaping (_ job: Job, _ slot: Int, _ command: [ByteString]) throws(StartFailure) -> SpawnRequest
  ) {
    (self.source, self.options, self.log, self.events) = (source, options, log, events)
    (self.reactor, makeRequest) = (reactor, request)
    supervisor = ProgramSupervisor(width: options.width, on: reactor, staysInThread: staysInThread)
    queue = OutputQueue(keepsOrder: options.keepsOrder, on: reactor) { [unowned self] in
      waitsForEnd = false
      supervisor.fill()
    }
    supervisor.draw = { [unowned self] in draw($0) }
  }

  package func start() { supervisor.fill() }

  /// Waits until something happens, and sees to it. False when nothing runs and nothing is left to do or to show.
  package func turn() -> Bool {
    if supervisor.count == 0, isDrained {
      close()
      if queue.count == 0 {
        if !waitsForReaders || isShown { return false }
        _ = reactor.after(2_000_000) {}
      }
    }
    reactor.turn()
    return true
  }

  /// Whether the end of the run waits until all is written that jobs have printed.
  package var waitsForReaders = true

  private var isShown: Bool {
    [LineTarget.standardOutput, .standardError].allSatisfy { $0.isSettled || $0.isBroken }
  }

  /// Nothing more will run: shows what waits for jobs that were not run, and gives up those that were to be tried again.
  private func close() {
    progress.failed += again.count
    again = []
    queue.close()
  }

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

  func fail(_ problem: ProgramProblem) {
    if self.problem == nil { self.problem = problem }
    end(.asked)
  }

  // MARK: Drawing

  private func draw(_ slot: Int) -> ProgramSupervisor.Next {
    guard !progress.isHalted, problem == nil, !waitsForEnd, !isOneAlone
    else {
      return .later
    }
    let now = apus_now()
    guard now >= mayStartAt else { return later(at: mayStartAt) }
    guard hasRoom() else { return later(at: now + 200_000_000) }
    do throws(ProgramProblem) {
      // Not for ever: signals have to be heard as well.
      for _ in 0..<Self.atOnce {
        switch try nextJob(now) {
        case .job(let job):
          mayStartAt = now + options.delay
          if let next = try start(job, slot) { return next }
          if progress.isHalted || problem != nil { return .later }
          guard now >= mayStartAt else { return later(at: mayStartAt) }
        case .skipped: break
        case .none:
          let next = again.filter { !$0.job.runsAlone || supervisor.count == 0 }.map(\.at).min()
          if let next { return later(at: next) }
          return .later
        }
      }
      return later(at: now)
    } catch {
      fail(error)
    }
    return .later
  }

  /// How many inputs are drawn before the reactor is asked for other news.
  private static let atOnce = 256
  /// How many jobs may wait to be shown, or to be tried again, before no more are begun.
  private static let mostWaiting = 1024

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

  private enum NextJob {
    case job(Job), skipped, none
  }

  private func nextJob(_ now: UInt64) throws(ProgramProblem) -> NextJob {
    if let job = takeAgain(alone: false, now) { return .job(job) }
    let next = try nextInput()
    if case .none = next, supervisor.count == 0, let job = takeAgain(alone: true, now) { return .job(job) }
    return next
  }

  private func takeAgain(alone: Bool, _ now: UInt64) -> Job? {
    let index = again.firstIndex { $0.at <= now && $0.job.runsAlone == alone }
    return index.map { again.remove(at: $0).job }
  }

  private func nextInput() throws(ProgramProblem) -> NextJob {
    // A reader that is slow, or a job that holds up those behind it.
    guard !isAtEnd, queue.count < Self.mostWaiting, again.count < Self.mostWaiting else { return .none }
    switch try source.next() {
    case .end:
      isAtEnd = true
      return .none
    case .waiting(let descriptor):
      watchInput(descriptor)
      return .none
    case .job(let job): return .job(job)
    case .skipped(let number):
      progress.skipped += 1
      queue.add(nil, number: number)
      return .skipped
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
    let command = try source.template.command(job.row, number: job.number, slot: slot)
    guard command.first?.bytes.isEmpty == false else {
      throw .usage("the command of job \(job.number) is empty")
    }
    if job.results == nil, let folder = options.results {
      do throws(FileError) { job.results = try folder.results(of: job.number) } catch {
        throw .file("results can't be kept: \(error)")
      }
    }
    job.tries += 1
    if job.tries == 1 { progress.started += 1 }
    let order: ProgramOrder
    do throws(StartFailure) { order = try self.order(job, slot, command) } catch {
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

  private func order(_ job: Job, _ slot: Int, _ command: [ByteString]) throws(StartFailure) -> ProgramOrder {
    var order = ProgramOrder(try makeRequest(job, slot, command))
    (order.timeLimit, order.grace, order.background) = (options.timeLimit, options.grace, options.background)
    order.memoryLimit = options.memoryLimit.map { limit in
      job.runsAlone ? UInt64(min(Double(limit) * Double(supervisor.width), 1e18)) : limit
    }
    // What is shown in one piece is shown to the byte.
    order.endsLines = options.output != .group
    if options.output != .raw {
      if job.output == nil {
        do throws(ProcessError) {
          job.output = try JobOutput(
            options.output, label: job.label, isOrdered: options.keepsOrder, results: job.results)
        } catch { throw StartFailure(error) }
      }
      let output = job.output!
      showInTurn(job)
      order.output = { (source) throws(ProcessError) in try output.output.makeRelay(source) }
      order.errors = { (source) throws(ProcessError) in try output.errors.makeRelay(source) }
    }
    return order
  }

  /// A job whose turn it is need not be kept; but what a try prints that is made again is not shown.
  func showInTurn(_ job: Job) {
    if options.retries == 0, !options.retriesAlone, queue.turn == job.number { job.output?.showAtOnce() }
  }

  private func started(
    _ job: Job, _ command: [ByteString], _ slot: Int, _ result: Result<SupervisedProgram, ProcessError>
  ) {
    switch result {
    case .success(let program):
      running[job.number] = job
      isOneAlone = job.runsAlone
      tell(.taskStarted, job, slot, process: program.child.pid, text: job.label)
      // What it prints would be lost (a full disk), and it might print without end.
      job.output?.whenLost = { [unowned program] in program.kill(.output(errno: $0)) }
    case .failure(let problem):
      if supervisor.count > 0 || queue.count > 0,
        [.noDescriptors, .noProcesses, .noMemory].contains(problem.code)
      {
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
    (waitsForEnd, isOneAlone) = (false, false)
    var ending = JobEnding()
    (ending.status, ending.reason, ending.usage) = (program.status, program.reason, program.usage)
    (ending.started, ending.ended, ending.slot) = (program.started, apus_now(), slot)
    if !ending.isSuccess { tell(.taskOutput, job, slot, text: Self.tail(program)) }
    over(job, command, ending)
  }

  /// The end of what it printed, as far as we saw it.
  private static func tail(_ program: SupervisedProgram) -> String {
    [program.output?.tail, program.errors?.tail].compactMap { $0 }.filter { !$0.isEmpty }.joined(
      separator: "\n")
  }
}

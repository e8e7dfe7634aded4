import CApus
import Glibc

/// A child program, from its start until nobody is left in its group.
///
///     running ──(a limit, end())──► ending: SIGTERM ──(grace)──► killing: SIGKILL, again and again
///        └──────────── the child has ended, and what it left in its group has too ──► over
///
/// Used on its reactor's thread.
package final class SupervisedProgram {
  /// Why it was ended before it ended by itself.
  package enum Reason: Sendable, Hashable { case timeLimit, memoryLimit, asked, output(errno: Int32) }

  package enum Stage: Sendable, Hashable { case running, ending, killing, over }

  package let child: ChildProcess
  /// By the monotonic clock.
  package let started: UInt64
  package private(set) var status: ExitStatus?
  package private(set) var reason: Reason?
  package private(set) var stage = Stage.running
  package let output: LineRelay?
  package let errors: LineRelay?

  private let reactor: Reactor
  private let order: ProgramOrder
  private var relays: [WatchedRelay] = []
  private var death: Reactor.Watch?
  private var timer: ReactorTimer?
  private var kills = 0
  /// Those that it has left, while they are waited for.
  private var members: [(descriptor: OwnedDescriptor, watch: Reactor.Watch)] = []
  private var look: ReactorTimer?
  private var memoryLook: ReactorTimer?
  /// How long to wait before the group is looked at again: nanoseconds.
  private var patience: UInt64 = 50_000_000
  private let whenOver: (SupervisedProgram) -> Void

  package var usage: ProcessUsage { child.usage ?? ProcessUsage(apus_exit()) }

  /// Starts it.
  ///
  /// - Parameters:
  ///   - staysInThread: Whether the calling thread lives as long as the process.
  ///   - whenOver: Called once, on the reactor's thread, and not before this has returned.
  package static func start(
    _ order: ProgramOrder, on reactor: Reactor, staysInThread: Bool,
    _ whenOver: @escaping (SupervisedProgram) -> Void
  ) throws(ProcessError) -> SupervisedProgram {
    var request = order.request
    let output = try order.output.map { (_) throws(ProcessError) in try OwnedDescriptor.pipe() }
    let errors = try order.errors.map { (_) throws(ProcessError) in try OwnedDescriptor.pipe() }
    if let output { request.descriptors.append((output.writing.number, 1)) }
    if let errors { request.descriptors.append((errors.writing.number, 2)) }
    // Made first: what fails after the start would have to be undone.
    let outputRelay = try output.map { (pipe) throws(ProcessError) in try order.output!(pipe.reading) }
    let errorsRelay = try errors.map { (pipe) throws(ProcessError) in try order.errors!(pipe.reading) }
    let started = apus_now()
    let child = try withExtendedLifetime((output, errors)) { () throws(ProcessError) in
      try staysInThread ? Spawner.spawnFromThisThread(request) : Spawner.spawn(request)
    }
    output?.writing.close()
    errors?.writing.close()
    let program = SupervisedProgram(child, order, reactor, started, outputRelay, errorsRelay, whenOver)
    do { try program.watch() } catch {
      program.abandon()
      throw error
    }
    return program
  }

  private init(
    _ child: ChildProcess, _ order: ProgramOrder, _ reactor: Reactor, _ started: UInt64, _ output: LineRelay?,
    _ errors: LineRelay?, _ whenOver: @escaping (SupervisedProgram) -> Void
  ) {
    (self.child, self.order, self.reactor, self.started) = (child, order, reactor, started)
    (self.output, self.errors, self.whenOver) = (output, errors, whenOver)
  }

  private func watch() throws(ProcessError) {
    for relay in [output, errors] {
      if let relay { relays.append(try WatchedRelay(relay, on: reactor)) }
    }
    if child.pidfd >= 0 {
      death = try reactor.whenReadable(child.pidfd) { [unowned self] in checkDeath() }
    } else {
      lookAgain()
    }
    if let limit = order.memoryLimit { watchMemory(limit) }
    if let limit = order.timeLimit { timer = reactor.after(limit) { [unowned self] in end(.timeLimit) } }
  }

  /// What was started can't be looked after.
  private func abandon() {
    for relay in relays { relay.finish(endsLine: false) }
    if let death { reactor.stop(death) }
    child.signalGroup(SIGKILL)
    _ = child.wait()
  }

  /// It can go past its limit by what it fills between two looks.
  private func watchMemory(_ limit: UInt64) {
    memoryLook = reactor.after(20_000_000) { [unowned self] in
      guard status == nil else { return }
      if let held = ProcessMemory.held(by: child.pid, limit: limit), held > limit {
        return kill(.memoryLimit)
      }
      watchMemory(limit)
    }
  }

  // MARK: Ending it

  /// Asks it and all in its group to end, and kills them when its grace is over.
  package func end(_ reason: Reason) {
    guard stage == .running else { return }
    self.reason = reason
    endGroup()
  }

  private func endGroup() {
    stage = .ending
    child.signalGroup(SIGTERM)
    // One that is stopped would not hear it.
    child.signalGroup(SIGCONT)
    timer?.cancel()
    timer = reactor.after(order.grace) { [unowned self] in killGroup() }
  }

  /// Kills it and all in its group.
  package func kill(_ reason: Reason) {
    guard stage != .over else { return }
    if self.reason == nil, status == nil { self.reason = reason }
    killGroup()
  }

  private func killGroup() {
    stage = .killing
    timer?.cancel()
    child.signalGroup(SIGKILL)
    kills += 1
    // A process in the middle of a system call that can't be interrupted takes its time.
    timer = reactor.after(1_000_000_000) { [unowned self] in
      // Not even SIGKILL ends what is left: nobody waits for it any more.
      if kills < 10 { killGroup() } else { finish() }
    }
  }

  package func signal(_ number: Int32) { child.signalGroup(number) }

  /// Time that does not count: all were stopped.
  package func postpone(by nanoseconds: UInt64) {
    guard stage == .running, let limit = timer else { return }
    limit.cancel()
    timer = reactor.at(limit.time &+ nanoseconds) { [unowned self] in end(.timeLimit) }
  }

  // MARK: Its end

  private func lookAgain() {
    look = reactor.after(20_000_000) { [unowned self] in checkDeath() }
  }

  private func checkDeath() {
    guard status == nil else { return }
    // Out of the set first: a fork of this process may hold a copy that would tell for ever.
    if let death { reactor.stop(death) }
    death = nil
    guard let status = child.reapAlone() else {
      // An old kernel, or a false alarm.
      return lookAgain()
    }
    self.status = status
    checkGroup()
  }

  private func checkGroup() {
    look?.cancel()
    for member in members { reactor.stop(member.watch) }
    members = []
    guard child.hasGroupLeft else { return finish() }
    if order.background == .ends, stage == .running { endGroup() }
    let left = ProcessGroup.members(of: child.pid)
    if left.isEmpty { return finish() }
    for process in left {
      let number = apus_pidfd_open(process)
      guard number >= 0 else { continue }
      let descriptor = OwnedDescriptor(number)
      guard let watch = try? reactor.whenReadable(number, { [unowned self] in checkGroup() }) else {
        continue
      }
      members.append((descriptor, watch))
    }
    // Some may leave the group, of which nobody tells, and some may just have been made.
    look = reactor.after(members.isEmpty ? 20_000_000 : patience) { [unowned self] in checkGroup() }
    patience = min(2 * patience, 1_000_000_000)
  }

  private func finish() {
    guard stage != .over else { return }
    stage = .over
    timer?.cancel()
    look?.cancel()
    memoryLook?.cancel()
    if let death { reactor.stop(death) }
    for relay in relays { relay.finish(endsLine: order.endsLines) }
    child.leaveGroup()
    whenOver(self)
  }
}

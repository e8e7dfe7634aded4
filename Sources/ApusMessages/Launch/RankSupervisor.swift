import ApusSystem
import Glibc
import Synchronization

/// Starts ranks, looks after them until the last has ended, and leaves none behind.
///
///     let supervisor = try RankSupervisor(command, ranks: 4, memory: memory.descriptor)
///     let outcome = try supervisor.run { event in … }
package final class RankSupervisor: Sendable {
  let commands: [SpawnRequest]
  let memory: OwnedDescriptor
  let options: RankOptions
  /// Woken for what other threads ask.
  let bell: Bell
  /// The signals that ask for the end.
  let requests = Locked<[Int32]>([])
  let children = Locked<[ChildProcess]>([])
  /// Whether another part of the program has closed descriptors of the run.
  let hasLostDescriptors = Atomic<Bool>(false)

  /// - Parameters:
  ///   - commands: The ranks' programs, in order of rank. Their environment gets a credential, their standard streams and
  ///     process groups are the supervisor's matter.
  ///   - memory: What the ranks share. It may be given up when the ranks have ended.
  package init(_ commands: [SpawnRequest], memory: OwnedDescriptor, options: RankOptions = RankOptions())
    throws(LaunchError)
  {
    guard 1...RankCredential.mostRanks ~= commands.count else {
      throw LaunchError.count(commands.count)
    }
    do {
      bell = try Bell()
    } catch {
      throw LaunchError(error)
    }
    (self.commands, self.memory, self.options) = (commands, memory, options)
  }

  /// The same program as each rank.
  package convenience init(
    _ command: SpawnRequest, ranks: Int, memory: OwnedDescriptor, options: RankOptions = RankOptions()
  ) throws(LaunchError) {
    // Checked before so many copies are made.
    guard 1...RankCredential.mostRanks ~= ranks else { throw LaunchError.count(ranks) }
    try self.init(Array(repeating: command, count: ranks), memory: memory, options: options)
  }

  /// Starts the ranks and blocks until all have ended: once, and not on a cooperative thread.
  ///
  /// - Parameter report: Called on this thread. Must not block.
  /// - Throws: If a rank can't be started; then those that were are ended.
  @available(*, noasync)
  package func run(_ report: @escaping (RankEvent) -> Void = { _ in }) throws(LaunchError) -> RankOutcome {
    try RankRun.start(self, report).untilTheEnd()
  }

  /// Passes a signal on to the ranks' process groups. From any thread.
  ///
  /// SIGINT, SIGTERM, SIGHUP and SIGQUIT ask for the end: after them the ranks have the options' `grace` to end by
  /// themselves; a second one of these ends them at once. Others are only passed on.
  package func forward(_ signal: Int32) {
    if Self.endingSignals.contains(signal) {
      requests.withLock { $0.append(signal) }
      bell.ring()
    } else {
      for child in children.withLock({ $0 }) { child.signalGroup(signal) }
    }
  }

  package static let endingSignals: [Int32] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
}

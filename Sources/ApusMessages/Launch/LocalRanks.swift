import ApusSystem

/// Ranks that talk through this machine's memory, and hear of each other's failures.
package struct LocalRanks: Sendable {
  package let supervisor: RankSupervisor
  private let memory: LocalMemory

  /// Throws `LaunchError`, and `MessageError` (`noResources`) if there is no memory for them.
  package init(_ command: SpawnRequest, count: Int, options: RankOptions) throws {
    // Before so much memory is made.
    guard 1...RankCredential.mostRanks ~= count else { throw LaunchError.count(count) }
    let descriptor = try LocalMemory.make(ranks: count)
    memory = try LocalMemory(descriptor.number, ranks: count)
    supervisor = try RankSupervisor(command, ranks: count, memory: descriptor, options: options)
  }

  /// Starts them and blocks until all have ended: once, and not on a cooperative thread.
  ///
  /// - Parameter report: Called on this thread. Must not block.
  @available(*, noasync)
  package func run(_ report: @escaping (RankEvent) -> Void = { _ in }) throws(LaunchError) -> RankOutcome {
    try supervisor.run { event in
      switch event {
      case .failed(let failure): memory.markFailed(rank: failure.rank)
      case .disconnected(let rank): memory.forgetProcess(rank: rank)
      default: break
      }
      report(event)
    }
  }
}

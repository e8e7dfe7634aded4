import CApus
import Synchronization

// Inside a program other code may close descriptors that are not its own, and nothing tells of that.
extension RankRun {
  /// Whether all that is waited on is still there: looked at once a second.
  func hasItsDescriptors(now: UInt64) -> Bool {
    if hasLostConnection { return false }
    // The command `apus` (with a watchdog) has no other code.
    guard options.watchdog == nil, now >= nextLook else { return true }
    nextLook = now + 1_000_000_000
    return relays.isIntact && watched.allSatisfy { poller.has($0.descriptor, tag: $0.tag) }
  }

  /// Whether the connection of a rank that has ended was closed by other code: that is what ended it.
  func wasCutOff(_ rank: RankProcess) -> Bool {
    guard options.watchdog == nil, let connection = rank.connection else { return false }
    return !connection.descriptor.isSocket
  }

  private var watched: [(descriptor: Int32, tag: UInt64)] {
    var all = [(supervisor.bell.descriptor.number, Tag.bell), (bootstrap.descriptor, Tag.bootstrap)]
    for newcomer in newcomers {
      all.append((newcomer.connection.descriptor.number, Tag.newcomer | newcomer.number))
    }
    for rank in ranks where !rank.hasEnded {
      let number = UInt64(rank.rank)
      if rank.child.pidfd >= 0 { all.append((rank.child.pidfd, Tag.death | number)) }
      if let connection = rank.connection {
        all.append((connection.descriptor.number, Tag.connection | number))
      }
    }
    return all
  }

  /// Other files may have our numbers by now: none is used again, or closed.
  func abandonDescriptors() {
    supervisor.hasLostDescriptors.store(true, ordering: .relaxed)
    let connections = newcomers.map(\.connection) + ranks.compactMap(\.connection)
    let descriptors = [poller.descriptor, supervisor.bell.descriptor, supervisor.memory, bootstrap.listener]
    for descriptor in descriptors + connections.map(\.descriptor) { _ = descriptor.take() }
    for rank in ranks {
      rank.child.abandonDescriptor()
      for stream in [rank.output, rank.errors] { stream.relay.abandon() }
    }
  }
}

/// The relays of what children print, in a poll set: each under a tag.
///
/// A child whose output nobody reads has to wait, and whoever looks after it must not. So its relay leaves the poll set
/// until the target can take more.
package struct RelaySet {
  /// How long to sleep at most, in nanoseconds, while relays are held.
  package static let patience: UInt64 = 5_000_000

  private let poller: Poller
  private var watched: [UInt64: LineRelay] = [:]
  private var held: [UInt64: LineRelay] = [:]

  package init(_ poller: Poller) { self.poller = poller }

  package mutating func add(_ relay: LineRelay, tag: UInt64) throws(ProcessError) {
    try poller.add(relay.descriptor, tag: tag)
    watched[tag] = relay
  }

  /// Whether there are relays that are not read for now: call `resume()` in a moment (`patience`).
  package var isHolding: Bool { !held.isEmpty }

  /// Whether the poller still waits on all of them: not if another part of the program has closed one.
  package var isIntact: Bool { watched.allSatisfy { poller.has($0.value.descriptor, tag: $0.key) } }

  /// The poller has this tag: forwards what there is to read, unless the target is congested.
  package mutating func forward(_ tag: UInt64) {
    guard let relay = watched[tag] else { return }
    if relay.isCongested {
      unwatch(tag)
      held[tag] = relay
    } else if !relay.drain() {
      unwatch(tag)
    }
  }

  /// Takes up again what was held, as far as the targets can take more.
  package mutating func resume() {
    for (tag, relay) in held where !relay.isCongested && (try? add(relay, tag: tag)) != nil {
      held[tag] = nil
    }
  }

  /// The child has ended: forwards what there is, and waits for no descendant that holds the other end.
  package mutating func finish(_ relay: LineRelay, tag: UInt64, endsLine: Bool = true) {
    unwatch(tag)
    held[tag] = nil
    _ = relay.drain()
    relay.finish(endsLine: endsLine)
  }

  /// Forgets all of them, and tells the poller nothing.
  package mutating func removeAll() { (watched, held) = ([:], [:]) }

  private mutating func unwatch(_ tag: UInt64) {
    if let relay = watched.removeValue(forKey: tag) { poller.remove(relay.descriptor) }
  }
}

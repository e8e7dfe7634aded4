/// The relays of what children print, in a poll set: each under a tag.
///
/// A child whose output nobody reads has to wait, and whoever looks after it must not. So its relay leaves the poll set
/// until the target can take more.
package struct RelaySet {
  /// How long to sleep at most, in nanoseconds, while relays are held.
  package static let patience: UInt64 = 5_000_000

  private struct Entry {
    let tag: UInt64
    let relay: LineRelay
    /// Whether it has left the poll set until the target can take more.
    var isHeld = false
  }

  private let poller: Poller
  /// By tag. No dictionary: the first one of its kind costs a program that starts a tenth of a millisecond.
  private var entries: [Entry] = []
  private var held = 0

  package init(_ poller: Poller) { self.poller = poller }

  package mutating func add(_ relay: LineRelay, tag: UInt64) throws(ProcessError) {
    try poller.add(relay.descriptor, tag: tag)
    entries.insert(Entry(tag: tag, relay: relay), at: place(of: tag))
  }

  /// Whether there are relays that are not read for now: call `resume()` in a moment (`patience`).
  package var isHolding: Bool { held > 0 }

  /// Whether the poller still waits on all of them: not if another part of the program has closed one.
  package var isIntact: Bool {
    entries.allSatisfy { $0.isHeld || poller.has($0.relay.descriptor, tag: $0.tag) }
  }

  /// The poller has this tag: forwards what there is to read, unless the target is congested.
  package mutating func forward(_ tag: UInt64) {
    guard let index = index(of: tag), !entries[index].isHeld else { return }
    let relay = entries[index].relay
    if relay.isCongested {
      poller.remove(relay.descriptor)
      entries[index].isHeld = true
      held += 1
    } else if !relay.drain() {
      remove(at: index)
    }
  }

  /// Takes up again what was held, as far as the targets can take more.
  package mutating func resume() {
    for index in entries.indices where entries[index].isHeld && !entries[index].relay.isCongested {
      guard (try? poller.add(entries[index].relay.descriptor, tag: entries[index].tag)) != nil else {
        continue
      }
      entries[index].isHeld = false
      held -= 1
    }
  }

  /// The child has ended: forwards what there is, and waits for no descendant that holds the other end.
  package mutating func finish(_ relay: LineRelay, tag: UInt64, endsLine: Bool = true) {
    if let index = index(of: tag) { remove(at: index) }
    _ = relay.drain()
    relay.finish(endsLine: endsLine)
  }

  /// Forgets all of them, and tells the poller nothing.
  package mutating func removeAll() { (entries, held) = ([], 0) }

  private mutating func remove(at index: Int) {
    let entry = entries.remove(at: index)
    if entry.isHeld { held -= 1 } else { poller.remove(entry.relay.descriptor) }
  }

  private func index(of tag: UInt64) -> Int? {
    let place = place(of: tag)
    return place < entries.count && entries[place].tag == tag ? place : nil
  }

  /// Where an entry is, or would be.
  private func place(of tag: UInt64) -> Int {
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].tag < tag { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

import CApus

/// One thread's loop: it waits for descriptors and for times, and calls who asked for each.
///
///     let watch = try reactor.whenReadable(descriptor) { … }
///     while !isOver { reactor.turn() }
///
/// One thread at a time uses it, but for its `bell`. What it calls may start and stop watches, and must not block.
package final class Reactor {
  /// What one waits for, until it is stopped.
  package struct Watch: Sendable, Hashable {
    fileprivate let place: Int
    /// Unlike that of the one that was at this place before.
    fileprivate let generation: UInt64
  }

  private struct Entry {
    var generation: UInt64 = 0
    var descriptor: Int32 = -1
    var isForWriting = false
    var isPaused = false
    var body: (() -> Void)?
  }

  private let poller: Poller
  /// Has `turn` return when it is rung: from any thread.
  package let bell: Bell
  private var entries: [Entry] = []
  private var free: [Int] = []
  private var timers = TimerQueue()
  private var ready: [UInt64] = []

  package init() throws(ProcessError) {
    (poller, bell) = (try Poller(), try Bell())
    let bell = bell
    _ = try whenReadable(bell.descriptor.number) { bell.silence() }
  }

  // MARK: Descriptors

  /// Calls `body` whenever there is something to read, or the end. The descriptor stays open until the watch is stopped.
  package func whenReadable(_ descriptor: Int32, _ body: @escaping () -> Void) throws(ProcessError) -> Watch {
    try watch(descriptor, isForWriting: false, body)
  }

  /// Calls `body` whenever there is room to write.
  package func whenWritable(_ descriptor: Int32, _ body: @escaping () -> Void) throws(ProcessError) -> Watch {
    try watch(descriptor, isForWriting: true, body)
  }

  private func watch(_ descriptor: Int32, isForWriting: Bool, _ body: @escaping () -> Void)
    throws(ProcessError) -> Watch
  {
    let place = free.popLast() ?? entries.count
    if place == entries.count { entries.append(Entry()) }
    entries[place].generation += 1
    let watch = Watch(place: place, generation: entries[place].generation)
    (entries[place].descriptor, entries[place].isForWriting) = (descriptor, isForWriting)
    (entries[place].isPaused, entries[place].body) = (false, body)
    do { try add(watch) } catch {
      forget(place)
      throw error
    }
    return watch
  }

  /// Calls it no more until `resume`.
  package func pause(_ watch: Watch) {
    guard has(watch), !entries[watch.place].isPaused else { return }
    entries[watch.place].isPaused = true
    poller.remove(entries[watch.place].descriptor)
  }

  /// What is not possible now is tried again a moment later.
  package func resume(_ watch: Watch) {
    guard has(watch), entries[watch.place].isPaused else { return }
    if (try? add(watch)) != nil {
      entries[watch.place].isPaused = false
    } else {
      _ = after(Self.moment) { [unowned self] in resume(watch) }
    }
  }

  private static let moment: UInt64 = 5_000_000

  /// Before its descriptor is closed. Again and again does no harm.
  package func stop(_ watch: Watch) {
    guard has(watch) else { return }
    if !entries[watch.place].isPaused { poller.remove(entries[watch.place].descriptor) }
    forget(watch.place)
  }

  private func has(_ watch: Watch) -> Bool {
    entries[watch.place].generation == watch.generation && entries[watch.place].body != nil
  }

  private func add(_ watch: Watch) throws(ProcessError) {
    let entry = entries[watch.place]
    let tag = UInt64(watch.place) << 32 | watch.generation & 0xffff_ffff
    try poller.add(entry.descriptor, tag: tag, isForWriting: entry.isForWriting)
  }

  private func forget(_ place: Int) {
    entries[place].body = nil
    free.append(place)
  }

  // MARK: Times

  /// Calls `body` once, so many nanoseconds from now.
  package func after(_ nanoseconds: UInt64, _ body: @escaping () -> Void) -> ReactorTimer {
    at(apus_now() &+ nanoseconds, body)
  }

  /// Calls `body` once, at a moment of the monotonic clock.
  package func at(_ time: UInt64, _ body: @escaping () -> Void) -> ReactorTimer {
    let timer = ReactorTimer(time, body)
    timers.add(timer)
    return timer
  }

  // MARK: The loop

  /// Waits until something happens, and sees to all that has.
  package func turn() {
    let now = apus_now()
    let timeout = timers.next.map { $0 > now ? $0 - now : 0 }
    ready.removeAll(keepingCapacity: true)
    _ = poller.wait(timeout, into: &ready)
    for tag in ready {
      let place = Int(tag >> 32)
      // It may have been stopped by what was called for another.
      guard entries[place].generation & 0xffff_ffff == tag & 0xffff_ffff, !entries[place].isPaused else {
        continue
      }
      entries[place].body?()
    }
    let end = apus_now()
    while let timer = timers.takeDue(end) { timer.fire() }
  }
}

/// What a child prints on one stream, read by a reactor: as it comes, but not while its target has more than it can take.
final class WatchedRelay {
  let relay: LineRelay
  private let reactor: Reactor
  private var watch: Reactor.Watch?
  private var rest: ReactorTimer?

  init(_ relay: LineRelay, on reactor: Reactor) throws(ProcessError) {
    (self.relay, self.reactor) = (relay, reactor)
    watch = try reactor.whenReadable(relay.descriptor) { [unowned self] in forward() }
  }

  private func forward() {
    guard let watch else { return }
    if relay.isCongested {
      reactor.pause(watch)
      lookAgain(watch)
    } else if !relay.drain() {
      stop()
    } else if relay.isBroken {
      // Nobody reads what is passed on: the child has to learn that, by SIGPIPE as in a shell's pipeline.
      finish(endsLine: false)
    }
  }

  /// Waits for a target that is congested, so many nanoseconds at first.
  private func lookAgain(_ watch: Reactor.Watch, after patience: UInt64 = 2_000_000) {
    rest = reactor.after(patience) { [unowned self] in
      if relay.isCongested {
        lookAgain(watch, after: min(2 * patience, 50_000_000))
      } else {
        reactor.resume(watch)
      }
    }
  }

  private func stop() {
    rest?.cancel()
    if let watch { reactor.stop(watch) }
    watch = nil
  }

  /// Forwards what there is, and waits for no descendant that holds the other end.
  func finish(endsLine: Bool) {
    guard relay.descriptor >= 0 else { return }
    stop()
    _ = relay.drain()
    relay.finish(endsLine: endsLine)
  }
}

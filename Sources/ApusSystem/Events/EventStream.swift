import Synchronization

/// Where events go: everything that runs work publishes to one, and every display subscribes.
///
/// ```swift
/// let subscription = EventStream.shared.subscribe { print($0) }
/// ```
public final class EventStream: Sendable {
  /// The stream of this process, for whoever names no other.
  public static let shared = EventStream()

  private struct Observer: Sendable {
    let id: UInt64
    let receive: @Sendable (Event) -> Void
    let finish: (@Sendable () -> Void)?
  }

  private struct State {
    var observers: [Observer] = []
    var lastID: UInt64 = 0
    var isFinished = false
  }

  private let state = Locked(State())
  // How many observers there are; a hint that spares publishers the lock. Relaxed: a publisher that runs at the
  // same time as `subscribe` may miss it either way, and one that comes after it sees it through whatever
  // ordered the two.
  private let listeners = Atomic<Int>(0)

  /// Creates a stream without observers.
  public init() {}

  deinit { finish() }

  /// Whether anybody listens.
  public var isObserved: Bool { listeners.load(ordering: .relaxed) != 0 }

  /// Hands an event to all observers, on this thread. Costs one relaxed load when there is none: the event is
  /// not even made then.
  public func publish(_ event: @autoclosure () -> Event) {
    guard isObserved else { return }
    // Observers run with no lock held, so they may subscribe, cancel and publish themselves.
    let observers = state.withLock { $0.observers }
    if observers.isEmpty { return }
    let event = event()
    for observer in observers { observer.receive(event) }
  }

  /// Hands events to all observers, one after the other, on this thread.
  package func publish(_ events: [Event]) {
    let observers = state.withLock { $0.observers }
    for observer in observers { for event in events { observer.receive(event) } }
  }

  /// Calls `observer` for each event from now on, until the subscription is cancelled or released.
  ///
  /// It runs on whichever thread publishes, on several at a time, in the middle of their work: be quick and do
  /// not block. An observer that publishes is called for its own events too.
  public func subscribe(_ observer: @escaping @Sendable (Event) -> Void) -> Subscription {
    subscribe(observer, onFinish: nil)
  }

  /// Ends all asynchronous views and removes all observers. Later subscriptions receive nothing.
  package func finish() {
    let observers = state.withLock { state in
      defer { state.observers = [] }
      state.isFinished = true
      listeners.store(0, ordering: .relaxed)
      return state.observers
    }
    for observer in observers { observer.finish?() }
  }

  func subscribe(
    _ receive: @escaping @Sendable (Event) -> Void, onFinish: (@Sendable () -> Void)?
  ) -> Subscription {
    let id: UInt64? = state.withLock { state in
      if state.isFinished { return nil }
      state.lastID += 1
      state.observers.append(Observer(id: state.lastID, receive: receive, finish: onFinish))
      listeners.store(state.observers.count, ordering: .relaxed)
      return state.lastID
    }
    guard let id else {
      onFinish?()
      return Subscription {}
    }
    return Subscription { [weak self] in self?.remove(id) }
  }

  private func remove(_ id: UInt64) {
    // The observer is released after the lock: its captures' deinit may come back here.
    let removed = state.withLock { state -> Observer? in
      guard let place = state.observers.firstIndex(where: { $0.id == id }) else { return nil }
      defer { listeners.store(state.observers.count, ordering: .relaxed) }
      return state.observers.remove(at: place)
    }
    withExtendedLifetime(removed) {}
  }

  /// Keeps an observer in place for as long as it is kept itself.
  public final class Subscription: Sendable {
    private let remove: Locked<(@Sendable () -> Void)?>

    init(_ remove: @escaping @Sendable () -> Void) { self.remove = Locked(remove) }

    /// Ends the subscription; again and again does no harm. Does not wait: another thread that is publishing
    /// at this moment may still call the observer.
    public func cancel() {
      let remove = self.remove.withLock { remove in
        defer { remove = nil }
        return remove
      }
      remove?()
    }

    deinit { cancel() }
  }
}

import Synchronization

extension EventStream {
  /// The events from now on, to read with `for await`. Ends when the reader's task is cancelled or the stream
  /// is released.
  ///
  /// A publisher never waits for a slow reader: when `limit` events wait to be read, further ones are dropped,
  /// and an `eventsDropped` event in their place says how many.
  public func events(buffering limit: Int = 1024) -> AsyncStream<Event> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Event.self, bufferingPolicy: .bufferingOldest(max(1, limit)))
    let gap = EventGap()
    let subscription = subscribe(
      { event in
        gap.close(in: continuation)
        if case .dropped = continuation.yield(event) { gap.widen(by: 1) }
      },
      onFinish: {
        gap.close(in: continuation)
        continuation.finish()
      })
    // The stream keeps its subscription alive in here, until it is read to the end or released.
    continuation.onTermination = { _ in subscription.cancel() }
    return stream
  }
}

/// How many events a slow reader has missed since it was last told.
private final class EventGap: Sendable {
  private static let source = Event.Source("events")
  private let missed = Atomic<Int>(0)

  func widen(by count: Int) { missed.add(count, ordering: .relaxed) }

  func close(in continuation: AsyncStream<Event>.Continuation) {
    guard missed.load(ordering: .relaxed) > 0 else { return }
    let count = missed.exchange(0, ordering: .relaxed)
    if count == 0 { return }
    let report = Event(.eventsDropped, from: Self.source, count: count)
    if case .dropped = continuation.yield(report) { widen(by: count) }
  }
}

import ApusSystem
import Synchronization
import Testing

@Suite("Events")
struct EventsTests {
  private let source = Event.Source("pool")

  @Test("observers get events until they cancel or are released")
  func subscribing() {
    let stream = EventStream()
    let seen = Mutex<[Int]>([])
    #expect(!stream.isObserved)
    let first = stream.subscribe { event in seen.withLock { $0.append(event.count!) } }
    #expect(stream.isObserved)
    stream.publish(Event(.taskFailed, from: source, count: 1))
    first.cancel()
    first.cancel()
    stream.publish(Event(.taskFailed, from: source, count: 2))
    do {
      let second = stream.subscribe { event in seen.withLock { $0.append(event.count!) } }
      stream.publish(Event(.taskFailed, from: source, count: 3))
      withExtendedLifetime(second) {}
    }
    #expect(!stream.isObserved)
    #expect(seen.withLock { $0 } == [1, 3])
  }

  @Test("an event that nobody sees is not made")
  func lazy() {
    let stream = EventStream()
    func make() -> Event {
      Issue.record("made")
      return Event(.warning, from: source)
    }
    stream.publish(make())
  }

  @Test("an observer may subscribe, cancel and publish")
  func reentrance() {
    let stream = EventStream()
    let seen = Atomic<Int>(0)
    let held = Mutex<[EventStream.Subscription]>([])
    let source = source
    let outer = stream.subscribe { event in
      if event.kind != .workerStarted { return }
      let inner = stream.subscribe { event in
        if event.kind == .workerReady { seen.add(1, ordering: .relaxed) }
      }
      stream.publish(Event(.workerReady, from: source))
      inner.cancel()
      let kept = stream.subscribe { _ in }
      held.withLock { $0.append(kept) }
      held.withLock { $0 }.first?.cancel()
    }
    stream.publish(Event(.workerStarted, from: source))
    stream.publish(Event(.workerReady, from: source))
    #expect(seen.load(ordering: .relaxed) == 1)
    withExtendedLifetime(outer) {}
  }

  @Test("an asynchronous reader gets all events in order, and an end")
  func reading() async {
    let stream = EventStream()
    let events = stream.events()
    for count in 0..<1000 { stream.publish(Event(.taskFailed, from: source, count: count)) }
    stream.finish()
    stream.publish(Event(.warning, from: source))
    var counts: [Int?] = []
    for await event in events { counts.append(event.count) }
    #expect(counts == Array(0..<1000))
    for await _ in stream.events() { Issue.record("an event after the end") }
  }

  @Test("a slow reader is told how much it missed")
  func dropping() async {
    let stream = EventStream()
    let events = stream.events(buffering: 4)
    for _ in 0..<10 { stream.publish(Event(.taskFailed, from: source)) }
    var iterator = events.makeAsyncIterator()
    var kinds: [Event.Kind?] = []
    for _ in 0..<4 { kinds.append(await iterator.next()?.kind) }
    stream.publish(Event(.warning, from: source))
    let gap = await iterator.next()
    #expect(kinds == Array(repeating: .taskFailed, count: 4))
    #expect(gap?.kind == .eventsDropped && gap?.count == 6)
    #expect(await iterator.next()?.kind == .warning)
  }

  @Test("a reader that stops is no observer any more")
  func stopping() async {
    let stream = EventStream()
    do {
      let events = stream.events()
      #expect(stream.isObserved)
      withExtendedLifetime(events) {}
    }
    #expect(!stream.isObserved)
    let reader = Task { for await _ in stream.events() {} }
    while !stream.isObserved { await Task.yield() }
    reader.cancel()
    await reader.value
    #expect(!stream.isObserved)
  }

  @Test("many threads publish while others come and go")
  func racing() async {
    let stream = EventStream()
    let seen = Atomic<Int>(0)
    let source = source
    let steady = stream.subscribe { _ in seen.add(1, ordering: .relaxed) }
    await withTaskGroup { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<2000 { stream.publish(Event(.taskFailed, from: source)) }
        }
        group.addTask {
          for _ in 0..<500 { stream.subscribe { _ in }.cancel() }
        }
      }
    }
    #expect(seen.load(ordering: .relaxed) == 8000)
    withExtendedLifetime(steady) {}
  }

  @Test("events read well")
  func descriptions() {
    let event = Event(
      .workerExited, from: source, worker: 2, process: 4711, status: .signalled(11, coreDumped: false))
    #expect(
      event.description
        == "\(source) workerExited worker 2 process 4711: signal 11 (SIGSEGV: segmentation fault)")
    #expect(Event.Source("a") != Event.Source("a"))
  }
}

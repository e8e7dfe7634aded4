import ApusSystem
import CApus
import Glibc
import Synchronization

/// A thread that calls a user's function with the lines that workers print, one after the other.
///
/// Nobody who reads the workers' output waits for the function, and it is called with no lock held.
package final class LineHandler: LineReceiver {
  /// With so much waiting for the function, relays should read no more.
  private static let congestion = 1 << 20

  private struct State {
    var lines: [WorkerLine] = []
    /// How many lines have come, and how many the function has had.
    var accepted = 0
    var handled = 0
    var isAsleep = false
    var isOver = false
    /// Signalled when so many lines are handled.
    var waiting: [(handled: Int, done: NativeSemaphore)] = []
    var thread: pthread_t?
  }

  private let state = Locked(State())
  private let wake = NativeSemaphore()
  private let keptBytes = Atomic<Int>(0)
  /// Whether the function waits for the pool, whose tasks may have to print for that.
  private let isWaiting = Atomic<Bool>(false)

  /// Starts the thread.
  init(_ handle: @escaping @Sendable (WorkerLine) -> Void) throws(ProcessError) {
    try NativeThread.start(name: "apus-lines", signals: .likeProgram) { [self] in work(handle) }
  }

  package var isCongested: Bool {
    keptBytes.load(ordering: .relaxed) > Self.congestion && !isWaiting.load(ordering: .relaxed)
  }

  package var isBroken: Bool { false }

  var isSettled: Bool { state.withLock { $0.handled == $0.accepted } }

  func accept(_ lines: [WorkerLine]) {
    if lines.isEmpty { return }
    keptBytes.add(lines.reduce(0) { $0 + Self.cost($1) }, ordering: .relaxed)
    let isAsleep = state.withLock { state in
      state.lines += lines
      state.accepted += lines.count
      defer { state.isAsleep = false }
      return state.isAsleep
    }
    if isAsleep { wake.signal() }
  }

  /// Waits until the function has had what has come so far, but not longer than a moment. Not for a caller that is the
  /// function.
  func settle() { settle(atMost: 200, whileItGoesOn: false) }

  /// The last has come: waits until the function has had everything, but no longer than two seconds for a line. The thread
  /// ends then, or when it has.
  func end() {
    settle(atMost: 2000, whileItGoesOn: true)
    state.withLock { $0.isOver = true }
    wake.signal()
  }

  private func settle(atMost milliseconds: Int, whileItGoesOn: Bool) {
    let done = NativeSemaphore()
    let begun: (handled: Int, end: Int)? = state.withLock { state in
      if state.handled == state.accepted || isItsThread(state) { return nil }
      state.waiting.append((state.accepted, done))
      return (state.handled, state.accepted)
    }
    guard let begun else { return }
    var handled = begun.handled
    while handled < begun.end, !done.wait(milliseconds: milliseconds) {
      let now = state.withLock { $0.handled }
      if !whileItGoesOn || now == handled { break }
      handled = now
    }
    state.withLock { $0.waiting.removeAll { $0.done === done } }
  }

  /// Runs `body`, which waits for the pool. If the function does, its lines are no reason to hold up what prints them.
  @inline(__always)
  func whileWaiting<Result>(_ body: () -> Result) -> Result {
    guard state.withLock({ isItsThread($0) }) else { return body() }
    isWaiting.store(true, ordering: .relaxed)
    defer { isWaiting.store(false, ordering: .relaxed) }
    return body()
  }

  private func isItsThread(_ state: borrowing State) -> Bool {
    state.thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false
  }

  private static func cost(_ line: WorkerLine) -> Int { line.bytes.count + 100 }

  private func work(_ handle: (WorkerLine) -> Void) {
    state.withLock { $0.thread = pthread_self() }
    while true {
      let (lines, isOver) = state.withLock { state in
        defer { state.lines = [] }
        state.isAsleep = state.lines.isEmpty
        return (state.lines, state.isOver)
      }
      if lines.isEmpty {
        if isOver { break }
        wake.wait()
      }
      for line in lines {
        handle(line)
        keptBytes.subtract(Self.cost(line), ordering: .relaxed)
        state.withLock { state in
          state.handled += 1
          while let first = state.waiting.first, first.handled <= state.handled {
            first.done.signal()
            state.waiting.removeFirst()
          }
        }
      }
    }
    // Another thread may get the same number.
    state.withLock { $0.thread = nil }
  }
}

import ApusSystem

/// Starts workers for a pool that is at work, on a thread of its own: a start takes a millisecond or more, and after
/// many deaths at a time there are many, for which nobody is to wait with the engine's lock held.
final class WorkerStarter: Sendable {
  typealias Started = (slot: Int, result: Result<ChildWorker, ProcessError>)

  struct State {
    /// Slots that no thread has taken on yet.
    var wanted: [Int] = []
    var hasThread = false
    var started: [Started] = []
    var isOver = false
    /// Other files may have the descriptors of what is started.
    var isAbandoned = false
  }
  let state = Locked(State())
  private let command: @Sendable (Int) -> (place: Int, request: SpawnRequest)
  private let template: Template?
  private let output: OutputRoute
  private let memoryLimit: UInt64?
  private let doorbell: Bell
  private let notice: Bell

  /// - Parameters:
  ///   - template: What they are forked from, if not started anew.
  ///   - output: Where what they print goes.
  ///   - memoryLimit: Bytes that the kernel is to let each have.
  ///   - command: The place of a slot, and how its worker is started.
  ///   - notice: Rung when there is something for `take`.
  init(
    doorbell: Bell, notice: Bell, template: Template? = nil, output: OutputRoute, memoryLimit: UInt64? = nil,
    _ command: @escaping @Sendable (Int) -> (place: Int, request: SpawnRequest)
  ) {
    (self.command, self.doorbell, self.notice) = (command, doorbell, notice)
    (self.template, self.output, self.memoryLimit) = (template, output, memoryLimit)
  }

  /// Starts workers at once, on the caller's thread.
  func startNow(_ slots: [Int]) -> [Started] {
    let children = ChildWorker.start(
      slots.map(command), template: template, doorbell: doorbell.descriptor.number, output: output,
      memoryLimit: memoryLimit)
    return Array(zip(slots, children))
  }

  /// Has a worker started for a slot. `take` gives it, or why there is none.
  func start(_ slot: Int) {
    let needsThread = state.withLock { state in
      state.wanted.append(slot)
      defer { state.hasThread = true }
      return !state.hasThread
    }
    if !needsThread { return }
    do { try NativeThread.start(name: "apus-starter") { [self] in work() } } catch {
      state.withLock { state in
        state.hasThread = false
        state.started += state.wanted.map { ($0, .failure(error)) }
        state.wanted = []
      }
      notice.ring()
    }
  }

  /// What has been started, or could not be, since the last time.
  func take() -> [Started] {
    state.withLock { state in
      defer { state.started = [] }
      return state.started
    }
  }

  /// Nothing more is wanted: what is started yet is ended.
  ///
  /// - Parameter abandoning: Whether another part of the program has closed descriptors.
  func end(abandoning: Bool = false) {
    let left = state.withLock { state in
      state.isOver = true
      if abandoning { state.isAbandoned = true }
      state.wanted = []
      defer { state.started = [] }
      return state.started
    }
    kill(left)
  }

  private func work() {
    while true {
      let slots = state.withLock { state in
        defer { state.wanted = [] }
        state.hasThread = !state.wanted.isEmpty
        return state.wanted
      }
      if slots.isEmpty { return }
      let started = startNow(slots)
      let isOver = state.withLock { state in
        if !state.isOver { state.started += started }
        return state.isOver
      }
      if isOver { kill(started) } else { notice.ring() }
    }
  }

  private func kill(_ started: [Started]) {
    let isAbandoned = state.withLock { $0.isAbandoned }
    for case (_, .success(let child)) in started {
      if isAbandoned { child.abandonDescriptors() }
      child.kill()
      _ = child.process.wait()
      child.memory?.remove()
    }
  }
}

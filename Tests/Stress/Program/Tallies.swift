import Apus
import Glibc
import StressSupport
import Synchronization

/// Counts, from any thread.
final class Counter: Sendable {
  private let count = Atomic<Int>(0)
  func add(_ number: Int = 1) { count.add(number, ordering: .relaxed) }
  var value: Int { count.load(ordering: .relaxed) }
}

/// Says that something is over.
final class Flag: Sendable {
  private let word = Atomic<Bool>(false)
  func set() { word.store(true, ordering: .releasing) }
  var isSet: Bool { word.load(ordering: .acquiring) }
}

/// The workers of a pool, as its events tell it.
final class Lives: Sendable {
  private struct State {
    var started = 0
    var ready: [Int32] = []
    var ended: [Event] = []
    var warnings = 0
  }
  private let state = Mutex(State())

  func note(_ event: Event) {
    state.withLock { state in
      switch event.kind {
      case .workerStarted: state.started += 1
      case .workerReady: state.ready.append(event.process!)
      case .workerExited:
        state.ready.removeAll { $0 == event.process }
        state.ended.append(event)
      case .warning: state.warnings += 1
      default: break
      }
    }
  }

  var started: Int { state.withLock { $0.started } }
  var ended: Int { state.withLock { $0.ended.count } }
  var warnings: Int { state.withLock { $0.warnings } }
  /// Those that take tasks.
  var ready: [Int32] { state.withLock { $0.ready } }

  /// How this one ended, if it has: with several of the number, the last.
  func status(of process: Int32) -> ExitStatus? {
    state.withLock { state in state.ended.last { $0.process == process }?.status }
  }

  /// Those that ended otherwise than by our hand: all but `killed`, each by SIGKILL.
  func unexplained(killed: [Int32]) -> [Event] {
    state.withLock { state in
      var killed = killed
      return state.ended.filter { event in
        guard Failure.kill.explains(event.status), let place = killed.firstIndex(of: event.process!) else {
          return true
        }
        killed.remove(at: place)
        return false
      }
    }
  }
}

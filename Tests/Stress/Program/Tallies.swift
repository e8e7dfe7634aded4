import Apus
import Glibc
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

/// The workers that ended, as the pool's events tell it.
final class Deaths: Sendable, CustomStringConvertible {
  private let all = Mutex<[(process: Int32, status: ExitStatus?)]>([])

  func add(_ process: Int32, _ status: ExitStatus?) { all.withLock { $0.append((process, status)) } }

  var count: Int { all.withLock { $0.count } }
  /// How this one ended, if it has: with several of the number, the last.
  func status(of process: Int32) -> ExitStatus? {
    all.withLock { all in all.last { $0.process == process }?.status ?? nil }
  }

  var processes: [Int32] { all.withLock { $0.map(\.process) } }
  var allBySIGKILL: Bool { all.withLock { $0.allSatisfy { Failure.kill.explains($0.status) } } }
  var description: String {
    all.withLock { all in
      let others = all.filter { !Failure.kill.explains($0.status) }
      return others.map { "\($0.process): \($0.status.map { "\($0)" } ?? "?")" }.joined(separator: ", ")
    }
  }
}

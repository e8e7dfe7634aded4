import ApusSystem
import Apus
import Glibc
import PoolStressSaboteur
import Synchronization

/// Kills workers of a pool, and keeps account of it.
final class Killer: Sendable {
  /// A worker by number and start, since numbers are given out again.
  struct Victim: Hashable, Sendable {
    let process: Int32
    let started: UInt64
  }

  enum Aim: Sendable {
    /// Whichever worker, whatever it does. One that is starting is not meant: a pool gives up when several of
    /// those end in a row.
    case any
    /// The worker that began a body last.
    case body
    /// The worker that is about to send a large result.
    case result
  }

  private let lives: Lives
  private let killed = Mutex<Set<Victim>>([])

  init(_ lives: Lives) { self.lives = lives }

  var count: Int { killed.withLock { $0.count } }
  var processes: [Int32] { killed.withLock { $0.map(\.process) } }

  /// Kills a worker. False if it was gone or as good as dead.
  @discardableResult
  func kill(_ process: Int32) -> Bool {
    killed.withLock { killed in
      let started = stress_signal_worker(process, SIGKILL)
      // A process that was killed before may not have ended yet; it counts once.
      return started != 0 && killed.insert(Victim(process: process, started: started)).inserted
    }
  }

  /// Kills one worker after `delay` nanoseconds or when the aim shows itself, on a thread of its own.
  ///
  /// Ends without a kill when `isOver`, asked in between, says so.
  func shoot(_ aim: Aim, delay: Int, choice: Int, until isOver: @escaping @Sendable () -> Bool) throws -> Shot
  {
    let shot = Shot()
    try NativeThread.start(name: "killer") { [self] in
      defer { shot.done.withLock { $0 = true } }
      switch aim {
      case .any:
        usleep(UInt32(delay / 1000))
        let workers = lives.ready
        if !workers.isEmpty { kill(workers[choice % workers.count]) }
      case .body, .result:
        usleep(UInt32(delay / 10_000))
        Counters.shared.forgetAnnouncements()
        while !isOver() {
          let worker = aim == .body ? Counters.shared.workerInBody : Counters.shared.workerWithResult
          if worker != 0, kill(worker) { return }
          usleep(20)
        }
      }
    }
    return shot
  }

  final class Shot: Sendable {
    let done = Mutex(false)
    var isDone: Bool { done.withLock { $0 } }
  }
}

import ApusSystem
import Glibc
import StressSupport
import Synchronization

/// Ends this rank if it does not get on: no step takes minutes, however busy the machine is.
final class Watch: Sendable {
  private static let limit = 600  // s
  private let step = Atomic(0)
  private let rank: Int

  init(rank: Int) throws {
    self.rank = rank
    try NativeThread.start(name: "watch") { [self] in
      var (last, since) = (-1, 0)
      while true {
        sleep(1)
        let now = step.load(ordering: .relaxed)
        (last, since) = now == last ? (last, since + 1) : (now, 0)
        if since > Self.limit {
          tell("VIOLATION rank \(rank) hangs in step \(now)")
          _exit(9)
        }
      }
    }
  }

  func see(_ step: Step) { see(step.number) }

  func see(_ number: Int) { step.store(number, ordering: .relaxed) }
}

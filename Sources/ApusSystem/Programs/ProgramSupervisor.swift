import CApus
import Glibc

/// Runs child programs, so many at a time: as one ends, the next is drawn and started.
///
/// Used on its reactor's thread.
package final class ProgramSupervisor {
  /// What there is to start next.
  package enum Next {
    case program(
      ProgramOrder, whenStarted: (Result<SupervisedProgram, ProcessError>) -> Void,
      whenOver: (SupervisedProgram) -> Void)
    /// Nothing for now: `fill()` is called when there may be.
    case later
  }

  package let reactor: Reactor
  /// How many may run at a time.
  package var width: Int
  /// Asked for the next program when there is a slot free: the lowest of them, from 0.
  package var draw: (_ slot: Int) -> Next = { _ in .later }
  /// By slot.
  private var programs: [SupervisedProgram?] = []
  private(set) package var count = 0
  private let staysInThread: Bool
  private var isFilling = false

  package init(width: Int, on reactor: Reactor, staysInThread: Bool) {
    (self.width, self.reactor, self.staysInThread) = (width, reactor, staysInThread)
  }

  /// Starts what may be started.
  package func fill() {
    guard !isFilling else { return }
    isFilling = true
    defer { isFilling = false }
    var failures = 0
    while count < width {
      let slot = programs.firstIndex { $0 == nil } ?? programs.count
      guard case .program(let order, let whenStarted, let whenOver) = draw(slot) else { return }
      do {
        let program = try SupervisedProgram.start(order, on: reactor, staysInThread: staysInThread) {
          [unowned self] in
          leave(slot)
          whenOver($0)
          fill()
        }
        if slot == programs.count { programs.append(program) } else { programs[slot] = program }
        count += 1
        whenStarted(.success(program))
      } catch {
        whenStarted(.failure(error))
        // Not for ever: the reactor has other news.
        failures += 1
        if failures == 64 {
          _ = reactor.after(0) { [unowned self] in fill() }
          return
        }
      }
    }
  }

  private func leave(_ slot: Int) {
    programs[slot] = nil
    count -= 1
  }

  /// Those that run, by slot.
  package var running: [SupervisedProgram] { programs.compactMap { $0 } }
}

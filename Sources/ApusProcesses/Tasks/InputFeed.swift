import ApusSystem

/// Carries inputs from an asynchronous sequence to a call that can't suspend for them: one at a time.
///
/// Continuations are resumed with the lock free: resuming takes a lock of the task's that a cancellation holds while
/// it comes to the lock here.
final class InputFeed<Input: Sendable>: Sendable {
  /// What taking an input came to.
  enum Taken {
    case input(Input)
    /// There is none yet; `arrived` is called when there is.
    case notYet
    case end
  }

  private struct State {
    var input: Result<Input, any Error>?
    var isOver = false
    /// The feeder, suspended until the input is taken.
    var feeder: UnsafeContinuation<Void, Never>?
    /// A taker, suspended until there is an input.
    var taker: UnsafeContinuation<Void, Never>?

    mutating func takeTaker() -> UnsafeContinuation<Void, Never>? {
      defer { taker = nil }
      return taker
    }
    mutating func takeFeeder() -> UnsafeContinuation<Void, Never>? {
      defer { feeder = nil }
      return feeder
    }
  }
  private let state = Locked(State())

  /// Draws from `inputs` until they end or the task is cancelled; `arrived` is called after each.
  func start<Inputs: AsyncSequence & Sendable>(_ inputs: Inputs, arrived: @escaping @Sendable () -> Void)
    -> Task<Void, Never> where Inputs.Element == Input
  {
    Task.detached { [self] in
      do {
        for try await input in inputs {
          await put(.success(input), arrived)
          if Task.isCancelled { break }
        }
      } catch {
        await put(.failure(error), arrived)
      }
      let taker = state.withLock {
        $0.isOver = true
        return $0.takeTaker()
      }
      taker?.resume()
      arrived()
    }
  }

  private func put(_ input: Result<Input, any Error>, _ arrived: @Sendable () -> Void) async {
    let taker = state.withLock {
      $0.input = input
      return $0.takeTaker()
    }
    taker?.resume()
    arrived()
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let goesOn = state.withLock {
          if $0.input == nil || Task.isCancelled { return true }
          $0.feeder = continuation
          return false
        }
        if goesOn { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.takeFeeder() }?.resume()
    }
  }

  /// The next input if it is there. Throws what the sequence threw.
  func take() throws -> Taken {
    let (input, isOver, feeder) = state.withLock { state in
      defer { state.input = nil }
      return (state.input, state.isOver, state.input == nil ? nil : state.takeFeeder())
    }
    feeder?.resume()
    guard let input else { return isOver ? .end : .notYet }
    return .input(try input.get())
  }

  /// The next input, when it is there; nil after the last, and for a task that is cancelled.
  func next() async -> Result<Input, any Error>? {
    while true {
      do {
        switch try take() {
        case .input(let input): return .success(input)
        case .end: return nil
        case .notYet: break
        }
      } catch { return .failure(error) }
      await withTaskCancellationHandler {
        await withUnsafeContinuation { continuation in
          let goesOn = state.withLock {
            // Asked under the lock: a cancellation comes there after it has marked the task.
            if $0.input != nil || $0.isOver || Task.isCancelled { return true }
            $0.taker = continuation
            return false
          }
          if goesOn { continuation.resume() }
        }
      } onCancel: {
        state.withLock { $0.takeTaker() }?.resume()
      }
      if Task.isCancelled { return nil }
    }
  }
}

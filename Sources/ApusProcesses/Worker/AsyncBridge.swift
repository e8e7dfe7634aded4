import ApusEngine
import ApusSystem
import CApus
import Dispatch
import Synchronization

/// Runs an asynchronous body from the worker's loop, which waits for it on its own thread.
enum AsyncBridge {
  /// Whether the loop must leave the main thread, so that bodies may use the main actor.
  static let isNeeded = Atomic<Bool>(false)

  /// Whether bodies take every signal, as in a process that is a worker and nothing else. Dispatch blocks most of them
  /// on its threads, and what a body starts would inherit that. (It still does after an `await` that changes threads.)
  static let opensSignals = Atomic<Bool>(false)

  /// Where the body's result is put; read after `isDone` was seen.
  private final class Outcome<Output>: @unchecked Sendable {
    // Sound: written by the task before the release of `isDone`, read by the loop after its acquire.
    var value: Result<Output, any Error>?
    // In memory of its own, because a futex needs an address that stays.
    let isDone = SharedWord.allocate(capacity: 1)

    init() { isDone.initialize(to: Atomic(0)) }
    deinit { isDone.deallocate() }
  }

  private struct Handover: @unchecked Sendable { let body: () async -> Void }

  static func run<Output>(_ body: @escaping () async throws -> Output) throws -> Output {
    let outcome = Outcome<Output>()
    // What the body holds was Sendable where the parent named it, and the task is its only user from here on.
    let work = Handover {
      do { outcome.value = .success(try await body()) } catch { outcome.value = .failure(error) }
    }
    let isDone = outcome.isDone
    let loop = WorkerLoop.current!
    let task = Task.detached {
      if opensSignals.load(ordering: .relaxed) { NativeThread.openSignals() }
      await work.body()
      // The loop that waits for it is not there in a fork.
      loop.endIfForked()
      isDone.pointee.store(1, ordering: .sequentiallyConsistent)
      apus_futex_wake(isDone, 1)
    }
    loop.onCancel { task.cancel() }
    defer { loop.onCancel(nil) }
    var backoff = Backoff()
    while outcome.isDone.pointee.load(ordering: .acquiring) == 0 {
      if !backoff.pause() { apus_futex_wait(outcome.isDone, 0, -1) }
    }
    return try outcome.value!.get()
  }
}

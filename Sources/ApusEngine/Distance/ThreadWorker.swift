package import ApusSystem
import CApus
import Glibc
import Synchronization

/// A worker that is a thread of this process: there can be one. Its task can be asked to stop, and not be killed.
package final class ThreadWorker: WorkerProcess, Sendable {
  package let channel: Channel
  private let loop: WorkerLoop
  private let end: Bell
  private let hasEnded = Atomic<Bool>(false)

  package init(
    doorbell: Bell, makeRunner: @escaping WorkerLoop.MakeRunner
  ) throws(ProcessError) {
    channel = try Channel()
    end = try Bell()
    loop = WorkerLoop(channel: channel, doorbell: doorbell.descriptor.number, makeRunner: makeRunner)
    try NativeThread.start(
      name: "apus-worker", stackBytes: NativeThread.mainStackSize(), signals: .likeProgram
    ) { [self] in
      do { try loop.serveInThisProcess() } catch { endProcess(error, as: "worker") }
      hasEnded.store(true, ordering: .releasing)
      withExtendedLifetime(doorbell) { _ = end.ring() }
    }
  }

  package var pid: Int32 { getpid() }
  package var place: String? { nil }
  package var standardError: String { "" }
  package var deathNotice: Int32? { end.descriptor.number }

  package func reap() -> WorkerEnding? {
    hasEnded.load(ordering: .acquiring) ? WorkerEnding(status: .exited(0)) : nil
  }

  package func kill() { loop.abandon() }
  package var canBeKilled: Bool { false }

  package func noteCancellation() { loop.cancelAsyncTask() }
}

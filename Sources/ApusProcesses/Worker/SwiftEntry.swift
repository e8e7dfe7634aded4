import ApusEngine
import ApusSystem
import Synchronization

/// What a run of the program does in place of `main` when it was started as a worker.
@c(apus_worker_main)
public func _apusWorkerMain(
  _ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ environment: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  AsyncBridge.opensSignals.store(true, ordering: .relaxed)
  do {
    // An asynchronous body may need the main actor.
    try WorkerEntry.run(SwiftFunctions.makeRunner) { AsyncBridge.isNeeded.load(ordering: .relaxed) }
  } catch {
    endProcess(error, as: "worker")
  }
}

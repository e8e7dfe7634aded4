package import ApusSystem

/// What a pool's engine is told about its workers.
package struct EngineConfiguration: Sendable {
  /// How many workers, distant ones included.
  package var workers: Int
  /// Workers that are no children of this process, if there are such.
  package var distant: (any DistantWorkers)?
  /// The program, its arguments and its environment. The descriptors that a worker is born with are added.
  package var command: SpawnRequest
  /// What workers are forked from; nil: each is a new run of `command`.
  package var template: Template?
  /// Whether a worker must be a run of this very build.
  package var checksIdentity = true
  /// Nanoseconds that a worker may take until it is ready; nil: as long as it likes.
  package var startUpLimit: UInt64? = 60_000_000_000
  /// How many workers in a row may end before they were ready, for each place in the pool, until it gives up.
  package var startUpAttempts = 3
  /// How many workers may be replaced in all; nil: any number.
  package var restarts: Int?
  /// Bytes that a worker may hold at a task; nil: as much as there is. Not of distant ones.
  package var memoryLimit: UInt64?
  /// Whether a task that exceeds it is tried once more when nothing else runs, with the memory of all workers.
  package var retriesAlone = false
  /// How many tasks may wait; nil: any number.
  package var queueLimit: Int?
  /// Where the pool says what happens.
  package var events = EventStream.shared
  package var name = "pool"
  /// Whether worker processes are called by it.
  package var labelsWorkers = false
  /// Where what workers print goes.
  package var output = WorkerOutput.relayed
  /// What prefixes of lines name beside the worker.
  package var outputLabel: String?
  /// Called in each worker before its first task and after its last.
  package var startHook: WorkerHook?
  package var exitHook: WorkerHook?
  /// What the seeds of the workers are made from; nil: chance.
  package var seed: UInt64?
  /// After how many tasks a worker is replaced; nil: never. Not for distant ones.
  package var tasksPerWorker: Int?

  /// The place of a slot, and how its worker is started.
  func command(ofSlot slot: Int) -> (place: Int, request: SpawnRequest) {
    let place = slot % workers
    guard labelsWorkers, command.arguments.count > 1 else { return (place, command) }
    var request = command
    request.arguments[1] = request.arguments[1] + ByteString("=\(name)/\(place)")
    return (place, request)
  }

  package init(workers: Int, command: SpawnRequest) {
    (self.workers, self.command) = (workers, command)
  }
}

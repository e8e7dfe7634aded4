package import ApusSystem

/// What a pool's engine is told about its workers.
package struct EngineConfiguration: Sendable {
  /// How many workers, distant ones included.
  package var workers: Int
  /// Workers that are no children of this process, if there are such.
  package var distant: (any DistantWorkers)?
  /// The program, its arguments and its environment. The descriptors that a worker is born with are added.
  package var command: SpawnRequest
  /// Whether a worker must be a run of this very build.
  package var checksIdentity = true
  /// Nanoseconds that a worker may take until it is ready; nil: as long as it likes.
  package var startUpLimit: UInt64? = 60_000_000_000
  /// How many workers in a row may end before they were ready, for each place in the pool, until it gives up.
  package var startUpAttempts = 3
  /// How many workers may be replaced in all; nil: any number.
  package var restarts: Int?
  /// Where the pool says what happens.
  package var events = EventStream.shared
  package var name = "pool"

  package init(workers: Int, command: SpawnRequest) {
    (self.workers, self.command) = (workers, command)
  }
}

import ApusEngine
import Synchronization

/// The random generator of this worker, or of this process if it is none: `PoolTask.random`.
///
/// It is splitmix64 on one counter: 64 random bits in a few nanoseconds, from any thread. Not for secrets.
public struct WorkerRandom: RandomNumberGenerator, Sendable {
  private static let counter = Atomic<UInt64>(
    WorkerLoop.current?.seed ?? UInt64.random(in: .min ... .max))

  init() {}

  /// The next random number.
  public mutating func next() -> UInt64 {
    SplitMix.mixed(Self.counter.wrappingAdd(SplitMix.step, ordering: .relaxed).oldValue)
  }
}

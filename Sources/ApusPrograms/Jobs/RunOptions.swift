package import ApusSystem

/// How the jobs of a run are treated.
package struct RunOptions: Sendable {
  /// When a run is given up.
  package struct Halt: Sendable, Hashable {
    package enum Cause: Sendable, Hashable { case failures, successes }

    package var cause: Cause
    /// After so many, or, as a fraction, of so many of all that are over (and at least three).
    package var count: Int?
    package var fraction: Double?
    /// Whether those that run are ended too.
    package var isNow: Bool

    package init(_ cause: Cause, count: Int?, fraction: Double?, isNow: Bool) {
      (self.cause, self.count, self.fraction, self.isNow) = (cause, count, fraction, isNow)
    }
  }

  package var width = 1
  package var output = OutputMode.group
  /// Whether grouped output comes in the order of the inputs.
  package var keepsOrder = false
  /// Where what each job printed is kept.
  package var results: ResultFolder?
  /// Nanoseconds, as all that follow.
  package var timeLimit: UInt64?
  package var grace: UInt64 = 2_000_000_000
  /// Bytes that a job and what it has started may hold.
  package var memoryLimit: UInt64?
  /// Whether one that went past it is tried once more, when no other runs, with as much as all have together.
  package var retriesAlone = false
  /// How often a job that fails is tried again, and how long after: twice as long each time.
  package var retries = 0
  package var retryDelay: UInt64 = 100_000_000
  /// How long after the start of one the next starts at the earliest.
  package var delay: UInt64 = 0
  package var halt: Halt?
  package var background = ProgramOrder.Background.waits
  /// Jobs are started only while so many bytes of memory are free, and while the load is lower.
  package var freeMemory: UInt64?
  package var load: Double?

  package init() {}
}

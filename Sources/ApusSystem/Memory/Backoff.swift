public import CApus
import Glibc

/// How both sides wait before they sleep: look a few dozen times, then let others run between looks, for a
/// bounded time. A side that only spun would, with more busy threads than cores, keep the very thread that
/// it waits for off its core (100 µs a round trip where this takes 5).
@_documentation(visibility: internal)
@frozen
public struct Backoff {
  @usableFromInline var spins = 0
  @usableFromInline var deadline: UInt64 = 0

  /// A wait that begins.
  @inlinable
  public init() {}

  /// Waits a little. False once it is time to sleep: after `limit` nanoseconds of yielding.
  @inlinable
  @inline(__always)
  public mutating func pause(yieldingFor limit: UInt64 = 50_000) -> Bool {
    spins &+= 1
    if spins <= 128 {
      _ = apus_relax()
      return true
    }
    return yield(limit)
  }

  @usableFromInline
  mutating func yield(_ limit: UInt64) -> Bool {
    sched_yield()
    let now = apus_now()
    if deadline == 0 { deadline = now + limit }
    return now < deadline
  }
}

/// `errno`, read where a call has just failed.
package func errnoNow() -> Int32 { errno }

import ApusEngine
import ApusSystem

/// Calls that are over and of which somebody wants to hear, in the order in which they ended.
final class EndingQueue: Sendable {
  private let tokens = Locked<[UInt64]>([])
  private let isThere = NativeSemaphore()

  func add(_ token: UInt64) {
    tokens.withLock { $0.append(token) }
    isThere.signal()
  }

  /// Blocks until there is one, or until a moment of the monotonic clock: 0 then.
  func next(until end: UInt64) -> UInt64 {
    guard isThere.wait(until: end) else { return 0 }
    return tokens.withLock { $0.isEmpty ? 0 : $0.removeFirst() }
  }
}

/// Has `token`, which is not 0, come out of the pool's `apus_py_pool_next_ending` when the call is over.
@c(apus_py_job_tell_ending)
public func tellEnding(_ job: UnsafeMutableRawPointer, _ token: UInt64) {
  let job = borrowed(job, JobHandle.self)
  let endings = job.pool.endings
  if !job.pool.engine.whenOver(job.job, { endings.add(token) }) { endings.add(token) }
}

/// Waits so long for a call to be over. 0: none was.
@c(apus_py_pool_next_ending)
public func nextEnding(_ pool: UnsafeMutableRawPointer, _ time: UInt64) -> UInt64 {
  borrowed(pool, PoolHandle.self).endings.next(until: moment(after: time))
}

import ApusEngine

extension ProcessPool {
  /// The pool's counters, all of the same moment. Can be asked at any time, while the pool ends too.
  ///
  /// - Complexity: O(*w*) for *w* workers, with the pool's lock held.
  public var statistics: PoolStatistics { engine?.statistics() ?? inline?.statistics ?? PoolStatistics() }
}

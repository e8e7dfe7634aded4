import ApusSystem
import CApus

/// How a pool fares at one moment.
package struct EngineStatistics: Sendable {
  package struct Worker: Sendable {
    package var process: Int32?
    package var isBusy = false
    package var busyTime: UInt64 = 0
  }

  package var submitted = 0
  package var queued = 0
  package var running = 0
  package var succeeded = 0
  package var failed = 0
  package var cancelled = 0
  package var retried = 0
  package var restarts = 0
  package var recycled = 0
  package var workers: [Worker] = []
}

extension PoolEngine {
  /// The counters, all of the same moment. O(number of workers).
  package func statistics() -> EngineStatistics {
    entered {
      let counts = ledger.counts
      var all = EngineStatistics(
        submitted: counts.submitted, queued: ledger.queued, succeeded: counts.succeeded,
        failed: counts.failed,
        cancelled: counts.cancelled, retried: counts.retried, restarts: restarts, recycled: recycled,
        workers: retiredTime.map { EngineStatistics.Worker(busyTime: $0) })
      let now = apus_now()
      for case let worker? in workers {
        var its = all.workers[worker.place]
        its.busyTime += worker.busyTime
        if worker.state == .ready || its.process == nil { its.process = worker.process.pid }
        if worker.hook == nil, worker.inFlight > 0 {
          let running = worker.hasBegunAny ? 1 : 0
          all.running += running
          all.queued += worker.inFlight - running
          its.isBusy = running == 1
          if worker.busySince != 0, now > worker.busySince { its.busyTime += now &- worker.busySince }
        }
        all.workers[worker.place] = its
      }
      return all
    }
  }
}

import ApusSystem
import CApus

extension PoolEngine {
  /// The counters, all of the same moment. O(number of workers).
  package func statistics() -> PoolStatistics {
    entered {
      let counts = ledger.counts
      var all = PoolStatistics()
      (all.submitted, all.queued) = (counts.submitted, ledger.queued)
      (all.succeeded, all.failed, all.cancelled) = (counts.succeeded, counts.failed, counts.cancelled)
      (all.retried, all.restarts, all.recycled) = (counts.retried, restarts, recycled)
      var busy = retiredTime
      all.workers = retiredTime.map { _ in PoolStatistics.Worker() }
      let now = apus_now()
      for case let worker? in workers {
        var its = all.workers[worker.place]
        busy[worker.place] += worker.busyTime
        if worker.state == .ready || its.processIdentifier == nil {
          // That of a distant one may not be known yet.
          its.processIdentifier = worker.process.pid == 0 ? nil : worker.process.pid
        }
        if worker.hook == nil, worker.inFlight > 0 {
          let running = worker.hasBegunAny ? 1 : 0
          all.running += running
          all.queued += worker.inFlight - running
          its.isBusy = running == 1
          if worker.busySince != 0, now > worker.busySince {
            busy[worker.place] += now &- worker.busySince
          }
        }
        all.workers[worker.place] = its
      }
      for (place, time) in busy.enumerated() {
        all.workers[place].busyTime = .nanoseconds(Int64(clamping: time))
      }
      return all
    }
  }
}

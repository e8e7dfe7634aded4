import ApusSystem
import CApus
import Glibc

// A pool whose workers can't be looked after any more, though nothing is wrong with them.
extension PoolEngine {
  // MARK: Forks

  /// In a fork of the process whose pool it is: the workers are that process's, and so are the descriptors, which both
  /// share. Nothing is told to any of them; whatever is asked of the pool here fails.
  func becomeStale() {
    isStale = true
    // Those who waited are threads and tasks of the other process. Handles have yet to learn that nothing comes.
    (driver, followers, sleepers, suspended, starting) = (nil, [], 0, 0, 0)
    isEngineThreadAsleep = false
    for job in active {
      job.waiter = .none
      if !job.endings.isEmpty { suspended += 1 }
    }
    // `ended` stays: it holds what handles of this process wait for as well.
    (vacancies, ledger.news, resumable, waitingForRoom) = ([], [], [], [])
    relays.removeAll()
    problem = .forked
    failEverything(.forked)
    ledger.news = []  // nor has anybody here asked to be told
    workers = Array(repeating: nil, count: workers.count)
  }

  /// For whoever waits on something else than the engine. In a fork, has it told that nothing comes, and says so too: the
  /// thread that was to tell may have been on its way to it, in the other process.
  package func tellForks() -> Bool {
    enter()
    let isStale = isStale
    unlockAndTell()
    return isStale
  }

  // MARK: Descriptors

  /// How long it may go unnoticed that there is nothing left to wait on, in nanoseconds. Longer where nothing is under
  /// way: nobody waits then, and an idle pool should not wake up often.
  var longestSleep: UInt64 { active.isEmpty ? 3_000_000_000 : 1_000_000_000 }

  /// Whether all that is waited on is still there: looked at once a second at most.
  var hasItsDescriptors: Bool {
    let now = apus_now()
    guard now >= nextLook, !hasLostDescriptors else { return true }
    nextLook = now &+ 1_000_000_000
    return relays.isIntact
      && workers.allSatisfy { worker in
        guard let worker, let death = worker.process.deathNotice else { return true }
        return quiet.has(death, tag: Tag.death | UInt64(worker.slot))
      }
  }

  /// Another part of the program has closed descriptors that are not its own. No worker can be heard of any more, and
  /// those that are left of our numbers may be other files by now: none is used again, or closed.
  func loseDescriptors() {
    guard !hasLostDescriptors else { return }
    hasLostDescriptors = true
    for descriptor in [quiet.descriptor, busy.descriptor, doorbell.descriptor, poke.descriptor] {
      _ = descriptor.take()
    }
    for case let worker? in workers { worker.child?.abandonDescriptors() }
    relays.removeAll()
    killAll()
    breakDown(.descriptorsClosed)
    starter.end(abandoning: true)
    starting = 0
    // Nothing tells of their ends. A kill takes a moment; one that takes longer leaves a zombie.
    let end = apus_now() &+ 2_000_000_000
    while apus_now() < end {
      for case let worker? in workers where worker.child == nil || worker.process.reap() != nil {
        workers[worker.slot] = nil
      }
      if workers.allSatisfy({ $0 == nil }) { break }
      usleep(1000)
    }
    workers = Array(repeating: nil, count: workers.count)
    isClosed = true
  }
}

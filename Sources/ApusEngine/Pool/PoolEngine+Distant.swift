import CApus

// Workers that are no children of this process.
extension PoolEngine {
  /// Moves what has come from elsewhere into the channels.
  func takeDistantNews() -> Bool {
    guard let distant else { return false }
    let isNews = distant.deliver { place in
      if let worker = workers[firstDistant + place] { checkDeath(worker) }
    }
    if problem == nil, let lost = distant.problem {
      // What they had done before counts.
      let now = apus_now()
      for case let worker? in workers where worker.distant != nil { _ = try? worker.receive(now: now) }
      breakDown(.lost(distant.name, lost))
      for case let worker? in workers where worker.distant != nil { checkDeath(worker) }
    }
    return isNews
  }
}

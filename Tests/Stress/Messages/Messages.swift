import Apus
import StressSupport

// Steps of messages from rank to rank. Every message that is sent in a step is received in it.
extension Group {
  /// Tags that no other message of the run has, so that it can be asked for without naming its sender. (They start
  /// again after some thousand steps; nobody can be that far behind.)
  private func ownTag(_ index: Int) -> Int { 100 + step.number % 16_000 * 64 + index }

  private func letters(_ random: inout Random, mayWait: Bool) -> [Letter] {
    let count = 1 + random.below(12)
    return (0..<count).map { index in
      let selection = random.pick(Letter.Selection.self)
      let isUnique = selection == .anySource || !mayWait
      return Letter(
        from: random.below(size), to: random.below(size), tag: isUnique ? ownTag(index) : random.below(3),
        kind: random.below(kinds.count), size: random.length(),
        sending: mayWait ? random.pick(Letter.Sending.self) : .request,
        receiving: random.pick(Letter.Receiving.self),
        // Whichever comes first is right only if messages are taken in the order in which they were sent.
        selection: selection == .anyTag && !mayWait ? .exact : selection, key: random.next())
    }
  }

  /// Ranks send and receive in one order that all agree on, so nobody can wait for something that can't come; what
  /// was started before is waited for at some time.
  func inOrder() throws {
    var random = random()
    var own = Random(random.next() &+ UInt64(rank))
    var started: [() throws -> Void] = []
    for letter in letters(&random, mayWait: true) {
      if letter.from == rank, let rest = try letter.send(communicator) { started.append(rest) }
      if letter.to == rank, let rest = try letter.receive(communicator) { started.append(rest) }
      if !started.isEmpty, own.below(4) == 0 { try started.remove(at: own.below(started.count))() }
    }
    for rest in started { try rest() }
  }

  /// All sends are started, then each rank takes its messages in an order of its own, having asked for some before.
  func inAnyOrder() throws {
    var random = random()
    let letters = letters(&random, mayWait: false)
    var own = Random(random.next() &+ UInt64(rank))
    var mine = letters.filter { $0.to == rank }.shuffled(using: &own)
    var started: [() throws -> Void] = []
    for _ in 0..<own.below(mine.count + 1) {
      if mine.last!.receiving == .request || mine.last!.receiving == .tested {
        started += [try mine.removeLast().receive(communicator)].compactMap { $0 }
      } else {
        mine.insert(mine.removeLast(), at: 0)
      }
    }
    let never = try communicator.startReceive(Int.self, from: own.below(size), tag: ownTag(63))
    for letter in letters where letter.from == rank {
      started += [try letter.send(communicator)].compactMap { $0 }
    }
    for letter in mine { started += [try letter.receive(communicator)].compactMap { $0 } }
    try giveUp(never)
    for rest in started.shuffled(using: &own) { try rest() }
  }

  private func giveUp(_ request: ReceiveRequest<Int>) throws {
    let isCancelled = request.cancel()
    do {
      _ = try request.wait()
      throw Mismatch(description: "a message that nobody sent")
    } catch is CancellationError { try expect(isCancelled, true, "cancelled") }
  }

  /// One rank takes what comes, from whomever, and sees by the status which it is.
  func fromAnyone() throws {
    var random = random()
    let (root, kind, probes) = (random.below(size), random.below(kinds.count), random.below(2) == 0)
    let counts = counts(&random, upTo: 6)
    func letter(_ source: Int, _ index: Int) -> Letter {
      var random = Random(mix(step.key, UInt64(source), UInt64(index)))
      return Letter(
        from: source, to: root, tag: index, kind: probes ? random.below(kinds.count) : kind,
        size: random.length() / 2, sending: source == root ? .request : random.pick(Letter.Sending.self),
        receiving: .withStatus, selection: .exact, key: random.next())
    }
    var started: [() throws -> Void] = []
    for index in 0..<counts[rank] {
      started += [try letter(rank, index).send(communicator)].compactMap { $0 }
    }
    if rank == root {
      var next = Array(repeating: 0, count: size)
      for _ in 0..<counts.reduce(0, +) {
        let status: MessageStatus
        if probes {
          status = try communicator.probe()
          _ = try letter(status.source, status.tag).receive(communicator)
        } else {
          status = try receiveAny(kinds[kind], letter)
        }
        try expect(status.tag, next[status.source], "message from rank \(status.source)")
        next[status.source] += 1
      }
    }
    for rest in started { try rest() }
    // Nobody sends the root something else before it has taken all this.
    try communicator.barrier()
  }

  private func receiveAny<T: Made>(_ type: T.Type, _ letter: (Int, Int) -> Letter) throws -> MessageStatus {
    let (value, status) = try communicator.receiveWithStatus(type, from: .any, tag: .any)
    try expect(value, letter(status.source, status.tag).value(type))
    return status
  }

  /// Each rank sends to one that is some ranks on, and receives from the one that is as many before.
  func shift() throws {
    var random = random()
    let (distance, length) = (random.below(size), random.length())
    func shift<T: Made>(_ type: T.Type) throws {
      let source = (rank + size - distance) % size
      let value = try communicator.sendReceive(
        made(type, rank, size: length), to: (rank + distance) % size, tag: 7, type, from: source,
        receiveTag: 7)
      try expect(value, made(type, source, size: length))
    }
    try shift(kinds[random.below(kinds.count)])
  }

  /// All at the same time, each message in a task of its own.
  func awaited() async throws {
    var random = random()
    let letters = letters(&random, mayWait: false)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for letter in letters {
        if letter.from == rank { tasks.addTask { try await letter.sendAwaiting(communicator) } }
        if letter.to == rank { tasks.addTask { try await letter.receiveAwaiting(communicator) } }
      }
      try await tasks.waitForAll()
    }
  }
}

extension Random {
  mutating func pick<T: CaseIterable>(_ type: T.Type) -> T { T.allCases.randomElement(using: &self)! }
}

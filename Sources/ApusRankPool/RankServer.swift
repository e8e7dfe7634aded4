import ApusEngine
import ApusMessages
import ApusProcesses
import ApusSystem
import ApusWire
import CApus
import Synchronization

/// A rank that serves a pool: has its workers run what rank 0 gives out, until that says that it is over.
final class RankServer {
  private let link: FrameLink
  /// Rung when frames come, and when a worker does something.
  private let arrival: Bell
  private let doorbell: Bell
  private let poller: Poller
  /// The workers' output, in `poller`.
  private var relays: RelaySet
  private let command: SpawnRequest?
  private let output: OutputRoute
  private var workers: [HostedWorker?]
  /// A worker that is wanted while its predecessor is still there.
  private var successors: [Int: ChannelFrame] = [:]
  private var isFinished = false

  private enum Tag {
    static let bell: UInt64 = 0
    static let death: UInt64 = 1 << 32
    static let output: UInt64 = 2 << 32
    static let errors: UInt64 = 3 << 32
  }

  /// - Parameters:
  ///   - command: Starts a worker process; nil: tasks run in this process.
  ///   - output: Where what worker processes print goes.
  ///   - processes: How many.
  init(_ communicator: Communicator, _ command: SpawnRequest?, processes: Int, output: WorkerOutput) throws {
    self.command = command
    (arrival, doorbell, poller) = (try Bell(), try Bell(), try Poller())
    relays = RelaySet(poller)
    workers = Array(repeating: nil, count: max(1, processes))
    try poller.add(arrival.descriptor.number, tag: Tag.bell)
    try poller.add(doorbell.descriptor.number, tag: Tag.bell)
    link = try FrameLink(communicator, peers: [0], bell: arrival)
    self.output = try OutputRoute(output, label: String(communicator.rank), workers: processes)
  }

  /// Blocks until rank 0 ends the pool. Throws if it can't be reached any more.
  func serve() throws {
    Communicator.isServing.store(true, ordering: .relaxed)
    defer {
      Communicator.isServing.store(false, ordering: .relaxed)
      output.end()
    }
    do {
      var backoff = Backoff()
      while !isFinished || workers.contains(where: { $0 != nil }) {
        if try look() {
          backoff = Backoff()
        } else if !backoff.pause() {
          try sleep()
          backoff = Backoff()
        }
      }
      link.finish()
    } catch {
      for case let worker? in workers { worker.kill() }
      throw error
    }
  }

  // MARK: One look

  /// True if there was anything, or will be in a moment.
  private func look() throws -> Bool {
    let (frames, failure) = link.take()
    for (_, buffer) in frames { try accept(buffer) }
    if let failure, !isFinished { throw failure }
    var isNews = !frames.isEmpty
    let now = apus_now()
    for case let worker? in workers {
      switch worker.collect(now: now) {
      case .nothing: break
      case .later: isNews = true
      case .frame(let frame):
        link.send(frame, to: 0)
        isNews = true
      }
      if let ending = worker.takeEnding() { tell(ending, of: worker) }
    }
    return isNews
  }

  private func accept(_ buffer: ByteBuffer) throws {
    guard let (frame, bytes) = ChannelFrame.read(buffer), Int(frame.worker) < workers.count else {
      throw MessageError(.transport, "rank 0 sent what no pool sends", rank: 0)
    }
    let number = Int(frame.worker)
    switch frame.kind {
    case ChannelFrame.Kind.finish:
      isFinished = true
      successors = [:]
      for case let worker? in workers { worker.kill() }
    case ChannelFrame.Kind.start:
      if workers[number] == nil { start(frame) } else { successors[number] = frame }
    case ChannelFrame.Kind.kill:
      if successors[number]?.generation == frame.generation {
        successors[number] = nil
        // It has waited in vain, and the engine waits to be told so.
        tell(WorkerEnding(status: .unknown, problem: "its rank was still at another task"), of: frame, "")
      } else if let worker = workers[number], worker.generation == frame.generation {
        worker.kill()
      }
    default:
      guard let worker = workers[number], worker.generation == frame.generation else { return }
      try worker.accept(frame, bytes)
    }
  }

  // MARK: Workers

  private func start(_ frame: ChannelFrame) {
    let number = Int(frame.worker)
    do {
      let process: any WorkerProcess
      let channel: Channel
      if let command {
        let child = try ChildWorker.start(
          [(number, command)], doorbell: doorbell.descriptor.number, output: output)[0].get()
        (process, channel) = (child, child.channel)
        do { try watch(child, number) } catch {
          child.kill()
          _ = child.process.wait()
          throw error
        }
      } else {
        let thread = try ThreadWorker(doorbell: doorbell, makeRunner: SwiftFunctions.makeRunner)
        (process, channel) = (thread, thread.channel)
        try watchEnd(of: thread, number)
      }
      workers[number] = HostedWorker(
        number: number, generation: frame.generation, process: process, channel: channel)
    } catch {
      workers[number] = nil
      tell(WorkerEnding(status: .unknown, problem: "it could not be started: \(error)"), of: frame, "")
    }
  }

  private func watch(_ child: ChildWorker, _ number: Int) throws(ProcessError) {
    try watchEnd(of: child, number)
    try relays.add(child.output, tag: Tag.output | UInt64(number))
    try relays.add(child.errors, tag: Tag.errors | UInt64(number))
  }

  private func watchEnd(of process: any WorkerProcess, _ number: Int) throws(ProcessError) {
    if let death = process.deathNotice { try poller.add(death, tag: Tag.death | UInt64(number)) }
  }

  private func tell(_ ending: WorkerEnding, of frame: ChannelFrame, _ standardError: String) {
    let buffer = ChannelFrame(
      ChannelFrame.Kind.ended, worker: Int(frame.worker), generation: frame.generation
    ).buffer(256)
    ending.append(to: buffer, standardError: standardError)
    link.send(buffer, to: 0)
  }

  private func tell(_ ending: WorkerEnding, of worker: HostedWorker) {
    tell(
      ending,
      of: ChannelFrame(ChannelFrame.Kind.ended, worker: worker.number, generation: worker.generation),
      worker.process.standardError)
  }

  private func checkDeath(_ number: Int) throws {
    guard let worker = workers[number] else { return }
    let process = worker.process
    let found = try poller.ending(of: process.deathNotice, tag: Tag.death | UInt64(number)) { process.reap() }
    guard var ending = found else { return }
    workers[number] = nil
    // What it finished before it died counts.
    if case .frame(let frame) = worker.collect(now: apus_now(), isLast: true) { link.send(frame, to: 0) }
    ending.problem = worker.corruption
    if let child = process as? ChildWorker {
      relays.finish(child.output, tag: Tag.output | UInt64(number))
      relays.finish(child.errors, tag: Tag.errors | UInt64(number))
    }
    if !worker.isGivenUp { tell(ending, of: worker) }
    if let next = successors.removeValue(forKey: number) { start(next) }
  }

  // MARK: Waiting

  private func sleep() throws {
    for case let worker? in workers { worker.requestWakeUp() }
    // Pairs with the workers' plain stores and loads: see `Channel.gate`.
    let isSure = Channel.order { workers.allSatisfy { $0?.fences ?? true } }
    if try !look() {
      var tags: [UInt64] = []
      let longest = relays.isHolding ? RelaySet.patience : 1_000_000_000
      guard poller.wait(isSure ? longest : Channel.unsureSleep, { tags.append($0) }),
        !tags.isEmpty || hasItsDescriptors
      else {
        throw MessageError(.transport, "a task has closed descriptors of this rank that are not its own")
      }
      doorbell.silence()
      for tag in tags { try handle(tag) }
      relays.resume()
    }
    for case let worker? in workers { worker.endWakeUpRequest() }
  }

  private var hasItsDescriptors: Bool {
    relays.isIntact
      && workers.allSatisfy { worker in
        guard let worker, let death = worker.process.deathNotice else { return true }
        return poller.has(death, tag: Tag.death | UInt64(worker.number))
      }
  }

  private func handle(_ tag: UInt64) throws {
    let number = Int(tag & 0xffff_ffff)
    switch tag & ~0xffff_ffff {
    case Tag.death: try checkDeath(number)
    case Tag.output, Tag.errors: relays.forward(tag)
    default: break
    }
  }
}

package import ApusSystem
import CApus
import Glibc

/// A worker that is a child of this process.
package final class ChildWorker: WorkerProcess {
  package let process: ChildProcess
  package let channel: Channel
  package let output: LineRelay
  package let errors: LineRelay
  /// What it prints, if somebody wants to know by which task.
  let lines: WorkerLines?
  /// Where the kernel sees to its limit on memory, if it has one and that can be had.
  private(set) var memory: MemoryGroup?
  private let control: OwnedDescriptor

  package init(
    _ process: ChildProcess, _ channel: Channel, control: OwnedDescriptor, output: LineRelay,
    errors: LineRelay, lines: WorkerLines? = nil
  ) {
    (self.process, self.channel, self.control) = (process, channel, control)
    (self.output, self.errors, self.lines) = (output, errors, lines)
    lines?.process = process.pid
  }

  /// Starts workers at places of a pool, each of which rings `doorbell`; every one succeeds or fails for itself.
  ///
  /// - Parameters:
  ///   - template: What they are forked from, in place of their commands.
  ///   - output: Where what they print goes.
  ///   - memoryLimit: Bytes that the kernel is to let each have, where it does so.
  package static func start(
    _ commands: [(place: Int, request: SpawnRequest)], template: Template? = nil, doorbell: Int32,
    output: OutputRoute,
    memoryLimit: UInt64? = nil
  ) -> [Result<ChildWorker, ProcessError>] {
    guard !commands.isEmpty else { return [] }
    let parts = commands.map { _ in
      Result { () throws(ProcessError) -> WorkerParts in try WorkerParts() }
    }
    let requests = zip(parts, commands).compactMap { part, command -> SpawnRequest? in
      guard let part = try? part.get() else { return nil }
      var request = command.request
      request.descriptors = part.descriptors(doorbell: doorbell)
      return request
    }
    let processes =
      template.map { template in
        requests.map { request in
          Result { () throws(ProcessError) -> ChildProcess in try template.fork(request.descriptors) }
        }
      } ?? Spawner.spawn(requests)
    var spawned = processes.makeIterator()
    return zip(parts, commands).map { part, command in
      Result { () throws(ProcessError) -> ChildWorker in
        let part = try part.get()
        let worker = try of(spawned.next()!.get(), part, command.place, output)
        worker.memory = memoryLimit.flatMap { MemoryGroup.make(for: worker.pid, limit: $0) }
        return worker
      }
    }
  }

  private static func of(
    _ process: ChildProcess, _ parts: WorkerParts, _ place: Int, _ output: OutputRoute
  ) throws(ProcessError) -> ChildWorker {
    do {
      let lines = output.lines(of: place)
      return ChildWorker(
        process, parts.channel, control: parts.control.ours,
        output: try output.relay(parts.output.reading, .output, of: place, lines),
        errors: try output.relay(parts.errors.reading, .errors, of: place, lines), lines: lines)
    } catch {
      process.signalGroup(SIGKILL)
      _ = process.wait()
      throw error
    }
  }

  /// Uses none of its descriptors any more, and closes none: other files may have their numbers.
  func abandonDescriptors() {
    process.abandonDescriptor()
    _ = control.take()
    output.abandon()
    errors.abandon()
  }

  /// Whether the control socket is still there. A worker ends when it is closed.
  var hasConnection: Bool { control.isSocket }

  package var pid: Int32 { process.pid }
  package var place: String? { nil }
  package var standardError: String { lines?.lastErrors ?? errors.tail }

  /// Without a pidfd (an old kernel) the end of the control socket is the death notice.
  package var deathNotice: Int32? { process.pidfd >= 0 ? process.pidfd : control.number }

  package func reap() -> WorkerEnding? {
    process.reap().map { WorkerEnding(status: $0, code: channel.functionCode) }
  }

  package func kill() { process.signalGroup(SIGKILL) }

  /// For a body that is suspended: the lifeline's thread cancels its Swift task.
  package func noteCancellation() {
    var note: UInt8 = 1
    _ = Glibc.send(control.number, &note, 1, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
  }
}

/// What a worker is born with.
private struct WorkerParts {
  let memory: OwnedDescriptor
  let channel: Channel
  let control: (ours: OwnedDescriptor, theirs: OwnedDescriptor)
  let output: (reading: OwnedDescriptor, writing: OwnedDescriptor)
  let errors: (reading: OwnedDescriptor, writing: OwnedDescriptor)
  let nothing: OwnedDescriptor

  init() throws(ProcessError) {
    let number = apus_memory_create("apus-channel", Channel.size)
    guard number >= 0 else { throw ProcessError(errno: -number, doing: "make a worker's shared memory") }
    memory = OwnedDescriptor(number)
    channel = try Channel(mapping: number)
    control = try OwnedDescriptor.socketPair()
    output = try OwnedDescriptor.pipe()
    errors = try OwnedDescriptor.pipe()
    // Standard input is at its end: a worker must not eat what the terminal or a pipe holds for the parent.
    nothing = try OwnedDescriptor.nothing()
  }

  func descriptors(doorbell: Int32) -> [(source: Int32, target: Int32)] {
    [
      (nothing.number, 0), (output.writing.number, 1), (errors.writing.number, 2),
      (memory.number, Int32(APUS_WORKER_CHANNEL)),
      (control.theirs.number, Int32(APUS_WORKER_CONTROL)),
      (doorbell, Int32(APUS_WORKER_DOORBELL)),
    ]
  }
}

import ApusSystem
import ApusWire
import CApus
import Dispatch
import Glibc
import Synchronization

/// A worker's life, whatever language its functions are written in.
package enum WorkerEntry {
  /// Serves the channel that the process was born with; ends the process when told to stop.
  ///
  /// - Parameters:
  ///   - makeRunner: Finds a function in this program.
  ///   - needsMainThread: Whether functions want the main thread for themselves, as the main actor does: asked between
  ///     tasks. The loop then goes on on another one, and Dispatch has the main thread.
  package static func run(
    _ makeRunner: @escaping WorkerLoop.MakeRunner, needsMainThread: @escaping () -> Bool
  ) throws -> Never {
    apus_stdout_line_buffered()
    let loop = try begin(makeRunner)
    if try serve(loop, until: needsMainThread) { end() }
    // The loop goes on on a thread with as much stack as the main thread has.
    try NativeThread.start(
      name: "apus-worker", stackBytes: NativeThread.mainStackSize(), signals: .likeProgram
    ) {
      do {
        _ = try serve(loop) { false }
        end()
      } catch { endProcess(error, as: "worker") }
    }
    dispatchMain()
  }

  /// Serves the channel on this thread, until told to stop: for a program that then ends in its own way.
  package static func serve(_ makeRunner: @escaping WorkerLoop.MakeRunner) throws {
    _ = try serve(begin(makeRunner)) { false }
  }

  /// False if it was interrupted, and there may be more to do.
  private static func serve(_ loop: WorkerLoop, until interrupted: () -> Bool) throws -> Bool {
    do { try loop.run(until: interrupted) } catch is WorkerIsFull { return true }
    return !interrupted()
  }

  private static func begin(_ makeRunner: @escaping WorkerLoop.MakeRunner) throws -> WorkerLoop {
    let channelMemory = try adopt(Int32(APUS_WORKER_CHANNEL))
    let control = try adopt(Int32(APUS_WORKER_CONTROL))
    let doorbell = try adopt(Int32(APUS_WORKER_DOORBELL))
    guard apus_memory_is_sealed(channelMemory, Channel.size) else {
      throw WorkerProtocolError("descriptor \(APUS_WORKER_CHANNEL) is not a channel of this version")
    }
    let channel = try Channel(mapping: channelMemory)
    close(channelMemory)
    // Before any body can change a handler.
    apus_note_crashes(channel.crashed, doorbell)
    let loop = WorkerLoop(channel: channel, doorbell: doorbell, makeRunner: makeRunner)
    loop.becomeCurrent()
    loop.memory = MemoryWatch(channel)
    channel.detachInForks(ofAnyThread: true)
    // Before there is a second thread: for one alone the kernel need not wait for all processors, some 5 ms.
    if !apus_barrier_register() { channel.needsFences.pointee.store(1, ordering: .relaxed) }
    try Lifeline.watch(socket: control) { _ in loop.cancelAsyncTask() }
    publishIdentity(channel)
    channel.ready.pointee.store(Channel.magic, ordering: .releasing)
    loop.notify()
    return loop
  }

  /// Told to stop: what bodies registered with `atexit` runs.
  private static func end() -> Never { exit(0) }

  /// Moves a descriptor out of the way of bodies that count on small numbers, and of programs they start.
  private static func adopt(_ number: Int32) throws -> Int32 {
    let moved = apus_move_high(number)
    guard moved != number || fcntl(number, F_SETFD, FD_CLOEXEC) == 0 else {
      throw ProcessError(errno: errno, doing: "take over the worker's descriptor \(number)")
    }
    return moved
  }

  static func publishIdentity(_ channel: Channel) {
    for (part, word) in CodeReference.programIdentity().enumerated() {
      channel.identity(part).pointee.store(word, ordering: .relaxed)
    }
  }
}

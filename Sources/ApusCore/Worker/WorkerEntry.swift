import CApus
import Dispatch
import Glibc
import Synchronization

/// What a run of the program does in place of `main` when it was started as a worker.
@c(apus_worker_main)
public func _apusWorkerMain(
  _ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ environment: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  do {
    try WorkerEntry.run(SwiftFunctions.makeRunner)
  } catch {
    WorkerEntry.fail(error)
  }
}

/// A worker's life, whatever language its functions are written in.
package enum WorkerEntry {
  /// Serves the channel that the process was born with; ends the process when told to stop.
  package static func run(_ makeRunner: @escaping WorkerLoop.MakeRunner) throws -> Never {
    apus_stdout_line_buffered()
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
    AsyncBridge.opensSignals.store(true, ordering: .relaxed)
    let loop = WorkerLoop(channel: channel, doorbell: doorbell, makeRunner: makeRunner)
    loop.becomeCurrent()
    channel.detachInForks(ofAnyThread: true)
    // Before there is a second thread: for one alone the kernel need not wait for all processors, some 5 ms.
    if !apus_barrier_register() { channel.needsFences.pointee.store(1, ordering: .relaxed) }
    try Lifeline.watch(socket: control) { _ in loop.cancelAsyncTask() }
    publishIdentity(channel)
    channel.ready.pointee.store(Channel.magic, ordering: .releasing)
    loop.notify()

    try loop.run { AsyncBridge.isNeeded.load(ordering: .relaxed) }
    guard AsyncBridge.isNeeded.load(ordering: .relaxed) else { end() }
    // An asynchronous body may need the main actor, so the main thread is given to it, and the loop goes on
    // on a thread with as much stack as the main thread has.
    try NativeThread.start(name: "apus-worker", stackBytes: mainStackSize(), signals: .likeProgram) {
      do {
        try loop.run { false }
        end()
      } catch { fail(error) }
    }
    dispatchMain()
  }

  /// Says why this process can't do what it was started for, and ends it.
  package static func fail(_ error: any Error, as role: String = "worker") -> Never {
    let text = "apus \(role): \(error)\n"
    _ = text.utf8.withContiguousStorageIfAvailable { write(2, $0.baseAddress, $0.count) }
    _exit(70)
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

  /// As much stack as the main thread has.
  package static func mainStackSize() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_STACK.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max
    else {
      return 8 << 20
    }
    return max(Int(limit.rlim_cur), 1 << 20)
  }
}

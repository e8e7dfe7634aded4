import ApusMessages
import Glibc

nonisolated(unsafe) private var ended: Communicator?

/// What still calls after the end of a rank's part gets an error.
func callAfterTheEnd() throws {
  // What is registered first is called last: after Apus's own.
  atexit {
    guard let world = ended else { _exit(8) }
    let calls: [() throws -> Void] = [
      { try world.send(1, to: 0) }, { _ = try world.receive(Int.self, from: 0) }, { try world.barrier() },
      { _ = try world.startReceive(Int.self, from: 0) }, { _ = try world.withMPIHandle { _ in } },
    ]
    for call in calls {
      do {
        try call()
        _exit(9)
      } catch { if (error as? MessageError)?.code != .finalized { _exit(10) } }
    }
    complain("all calls after the end are errors")
  }
  ended = try Communicator.world()
}

/// A thread of rank 0 is still in a call when the program comes to its end.
func endInsideACall() throws {
  let world = try Communicator.world()
  guard world.rank == 0 else { return }
  ended = world
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    { _ in
      _ = try? ended?.receive(Int.self, from: 1, tag: 5)
      return nil
    }, nil)
  usleep(200_000)
}

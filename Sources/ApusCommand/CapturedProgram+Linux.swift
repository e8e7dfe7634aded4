import ApusSystem
import Glibc

/// A short run of another program, and what it printed.
struct CapturedProgram {
  let output: String
  /// Nil if it had to be killed.
  let status: ExitStatus?

  /// Both streams of the program come together; it has nothing to read.
  ///
  /// - Throws: `ProcessError` if it can't be started.
  static func run(
    _ path: String, _ arguments: [String], environment: [ByteString] = SpawnRequest.ownEnvironment,
    seconds: Int = 10
  ) throws(ProcessError) -> CapturedProgram {
    let (reading, writing) = try OwnedDescriptor.pipe()
    let nothing = try OwnedDescriptor.nothing()
    let child = try withExtendedLifetime(nothing) { () throws(ProcessError) in
      try Spawner.spawn(
        SpawnRequest(
          path: path, arguments: [path] + arguments, environment: environment,
          descriptors: [(nothing.number, 0), (writing.number, 1), (writing.number, 2)]))
    }
    writing.close()
    let end = ContinuousClock.now + .seconds(seconds)
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16384)
    while ContinuousClock.now < end {
      var waiting = pollfd(fd: reading.number, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, 100) > 0 else {
        if child.reap() != nil { break }  // a descendant may hold the pipe
        continue
      }
      let count = read(reading.number, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 || bytes.count > 1 << 20 { break }
      bytes += chunk[..<count]
    }
    while ContinuousClock.now < end, child.reap() == nil { usleep(1000) }
    let status = child.status
    if status == nil {
      child.signalGroup(SIGKILL)
      _ = child.wait()
    }
    return CapturedProgram(output: String(decoding: bytes, as: UTF8.self), status: status)
  }
}

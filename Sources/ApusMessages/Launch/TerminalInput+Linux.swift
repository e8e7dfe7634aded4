import ApusSystem
import Glibc

/// What is typed at the terminal, on its way to rank 0.
///
/// A rank can't have the terminal itself: it is not in the group in the foreground, so reading would stop it. A pipe
/// or a file it can have, and then takes no more of it than it reads.
final class TerminalInput: Sendable {
  private let sink: OwnedDescriptor
  private let stop: Bell

  /// The end of the pipe that is rank 0's standard input.
  let source: OwnedDescriptor

  init() throws(ProcessError) {
    (source, sink) = try OwnedDescriptor.pipe()
    try sink.setNonBlocking()
    stop = try Bell()
  }

  /// It ends with the input, with its reader, or with `end()`.
  func start() throws(ProcessError) {
    try NativeThread.start(name: "apus-input", stackBytes: 128 * 1024) { self.serve() }
  }

  func end() { stop.ring() }

  private func serve() {
    // This thread blocks all signals. So a broken pipe, and reading in the background, are errors here, and
    // neither ends nor stops this process.
    var chunk = [UInt8](repeating: 0, count: 4096)
    while wait(for: 0, POLLIN) {
      // What is typed now is meant for who is in the foreground.
      if tcgetpgrp(0) != getpgrp() {
        if isStopped(within: 200) { break }
        continue
      }
      let count = read(0, &chunk, chunk.count)
      if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
      if count < 0 && errno == EIO && tcgetpgrp(0) > 0 { continue }
      if count <= 0 || !pass(chunk[..<count]) { break }
    }
    sink.close()
  }

  private func pass(_ bytes: ArraySlice<UInt8>) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
      guard wait(for: sink.number, POLLOUT) else { return false }
      let count = rest.withUnsafeBytes { write(sink.number, $0.baseAddress, $0.count) }
      if count < 0 && errno != EINTR && errno != EAGAIN { return false }
      rest = rest.dropFirst(max(count, 0))
    }
    return true
  }

  /// False when it is time to end.
  private func wait(for descriptor: Int32, _ events: Int32) -> Bool {
    var waiting = [
      pollfd(fd: stop.descriptor.number, events: Int16(POLLIN), revents: 0),
      pollfd(fd: descriptor, events: Int16(events), revents: 0),
    ]
    while true {
      let count = poll(&waiting, 2, -1)
      if count < 0 && errno == EINTR { continue }
      return count > 0 && waiting[0].revents == 0
    }
  }

  private func isStopped(within milliseconds: Int32) -> Bool {
    var waiting = pollfd(fd: stop.descriptor.number, events: Int16(POLLIN), revents: 0)
    return poll(&waiting, 1, milliseconds) > 0
  }
}

import CApus
import Glibc
import Synchronization

/// Marks in a worker's own output where its tasks begin; see `OutputMark`.
final class OutputMarker {
  private let token: UInt64
  /// Descriptors of our own: a body may have put other files in the places of 1 and 2.
  private let streams: [Int32]

  /// Before the worker's first element: what it is born with is in place.
  init(_ channel: Channel) {
    token = channel.outputToken.pointee.load(ordering: .relaxed)
    streams = [1, 2].map { apus_move_high(fcntl($0, F_DUPFD_CLOEXEC, 3)) }
  }

  /// An element is begun, or the last one has ended and none is begun.
  ///
  /// It is less than a pipe takes in one piece, so nothing comes between its bytes.
  func write(_ sequence: UInt64) {
    OutputMark.with(token, sequence) { mark in
      for stream in streams {
        while Glibc.write(stream, mark.baseAddress, mark.count) < 0 {
          if errno == EINTR { continue }
          // Something that it has started shares the pipe and does not want to block.
          guard errno == EAGAIN else { break }
          var waiting = pollfd(fd: stream, events: Int16(POLLOUT), revents: 0)
          poll(&waiting, 1, -1)
        }
      }
    }
  }
}

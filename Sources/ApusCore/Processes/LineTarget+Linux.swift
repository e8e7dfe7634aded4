import Glibc
import Synchronization

/// A descriptor of ours to which several relays write, one whole piece after the other.
package final class LineTarget: Sendable {
  package static let standardOutput = LineTarget(1)
  package static let standardError = LineTarget(2)

  private let descriptor: Int32
  private let isSocket: Bool
  // Held for a whole piece: the kernel keeps writes of up to PIPE_BUF (4 KiB) together on its own, and no more.
  private let isBroken = Locked(false)

  /// Does not take ownership. The descriptor may be blocking or not.
  package init(_ descriptor: Int32) {
    self.descriptor = descriptor
    var information = stat()
    isSocket = fstat(descriptor, &information) == 0 && information.st_mode & S_IFMT == S_IFSOCK
  }

  /// Writes all, waiting for as long as the reader takes. What cannot be written is dropped: a reader that has
  /// gone away must not end this program.
  package func write(_ bytes: UnsafeRawBufferPointer) {
    isBroken.withLock { isBroken in
      if isBroken { return }
      var rest = bytes[...]
      while !rest.isEmpty {
        let (written, error) = writeOnce(UnsafeRawBufferPointer(rebasing: rest))
        if written >= 0 {
          rest = rest.dropFirst(written)
        } else if error == EAGAIN {
          var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = poll(&waiting, 1, -1)
        } else if error != EINTR {
          // Other errors (ENOSPC, EIO) may pass: they cost this piece alone.
          isBroken = error == EPIPE || error == EBADF
          return
        }
      }
    }
  }

  private func writeOnce(_ bytes: UnsafeRawBufferPointer) -> (count: Int, error: Int32) {
    if isSocket {
      let count = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      return (count, count < 0 ? errno : 0)
    }
    return withoutBrokenPipeSignal {
      let count = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
      return (count, count < 0 ? errno : 0)
    }
  }
}

/// Runs a write whose SIGPIPE, if it raises one, never arrives. A library must not ignore SIGPIPE for the whole
/// process, and there is no MSG_NOSIGNAL for pipes; but the signal of a write is sent to the writing thread, so
/// it can be blocked here and then taken away.
private func withoutBrokenPipeSignal(
  _ write: () -> (count: Int, error: Int32)
) -> (count: Int, error: Int32) {
  var pipe = sigset_t()
  var before = sigset_t()
  var pending = sigset_t()
  sigemptyset(&pipe)
  sigaddset(&pipe, SIGPIPE)
  // One that is pending already is somebody else's, and ours would merge with it.
  sigpending(&pending)
  let wasPending = sigismember(&pending, SIGPIPE) == 1
  pthread_sigmask(SIG_BLOCK, &pipe, &before)
  let result = write()
  if result.error == EPIPE && !wasPending {
    var now = timespec()
    while sigtimedwait(&pipe, nil, &now) < 0 && errno == EINTR { continue }
  }
  pthread_sigmask(SIG_SETMASK, &before, nil)
  return result
}

import Glibc

/// Ends this process when the process at the other end of a socket is gone.
///
/// It takes two mechanisms to leave nothing behind, since each misses what the other sees:
/// - `PR_SET_PDEATHSIG` (`SpawnRequest.diesWithParent`) kills even a process that is stopped, which no thread
///   of its own could do; but it is lost in set-user-ID programs, and it reaches no descendants.
/// - The end-of-file that this thread waits for works across any chain of parents, also when the other end
///   merely closes, and takes the whole process group along; but a stopped process has no running thread.
package enum Lifeline {
  /// Above the largest message that a socket takes by default (net.core.wmem_max, 208 KiB).
  package static let maximumMessage = 256 * 1024

  /// Starts a native thread that reads `socket` (AF_UNIX, SOCK_SEQPACKET, blocking) until this process ends.
  ///
  /// `onMessage` gets each message on that thread, which has a small stack: copy, wake somebody, return. The
  /// other end must not send an empty message: it looks like an end-of-file.
  ///
  /// - Parameter group: A process group that was made for this process and those around it, by whoever started them.
  package static func watch(
    socket: Int32, group: Int32? = nil, onMessage: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
  ) throws(ProcessError) {
    try NativeThread.start(name: "apus-lifeline", stackBytes: 128 * 1024) {
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: maximumMessage, alignment: 16)
      while true {
        // MSG_TRUNC makes the kernel return the true length.
        let length = recv(socket, buffer.baseAddress, buffer.count, Int32(MSG_TRUNC))
        if length < 0 && errno == EINTR { continue }
        // Half a message is no message: a peer that sends one is not the parent that we know.
        if length <= 0 || length > buffer.count { endProcess(group: group) }
        onMessage(UnsafeRawBufferPointer(rebasing: buffer[..<length]))
      }
    }
  }

  /// Ends this process at once and, if it leads a process group or is in `group`, everybody there.
  package static func endProcess(group: Int32? = nil) -> Never {
    // Nobody else may: in somebody else's group, the shell's say, kill(0) would end strangers.
    if getpgrp() == getpid() || getpgrp() == group { kill(0, SIGKILL) }
    // Not exit: its handlers would run user code next to threads that are still at work.
    _exit(1)
  }
}

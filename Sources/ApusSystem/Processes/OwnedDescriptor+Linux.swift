import CApus
import Glibc

/// `close` under a name that the method of the same name does not hide.
func closeDescriptor(_ number: Int32) -> Int32 { close(number) }

// All are made where no standard stream is closed; see `apus_reserve_standard_streams`. All are close-on-exec from the start: set later, a program that another thread starts in between would
// inherit them, and an inherited end of a pipe or socket delays the end-of-file that announces a death.
extension OwnedDescriptor {
  /// A pipe. Both ends block.
  package static func pipe() throws(ProcessError) -> (reading: OwnedDescriptor, writing: OwnedDescriptor) {
    let (first, second) = try pair("making a pipe") { apus_pipe($0) }
    return (first, second)
  }

  /// A connected pair of sockets that keeps the borders between messages. Both block.
  package static func socketPair() throws(ProcessError) -> (OwnedDescriptor, OwnedDescriptor) {
    try pair("making a pair of sockets") { apus_socket_pair($0) }
  }

  /// The same with borders between messages, blocking.
  package static func messageSocketPair() throws(ProcessError) -> (OwnedDescriptor, OwnedDescriptor) {
    try pair("making a pair of sockets") { apus_socket_seqpacket_pair($0) }
  }

  /// Another one of the same file.
  package static func duplicate(_ number: Int32) throws(ProcessError) -> OwnedDescriptor {
    let found = fcntl(number, F_DUPFD_CLOEXEC, 3)
    if found < 0 { throw ProcessError(errno: errno, doing: "duplicating a descriptor") }
    return OwnedDescriptor(found)
  }

  /// An eventfd, non-blocking.
  package static func eventCounter(_ initial: UInt32 = 0) throws(ProcessError) -> OwnedDescriptor {
    let number = apus_eventfd(initial)
    if number < 0 { throw ProcessError(errno: -number, doing: "making an eventfd") }
    return OwnedDescriptor(number)
  }

  /// What is always at its end: the input of whoever must not read ours.
  package static func nothing() throws(ProcessError) -> OwnedDescriptor {
    let number = apus_nothing()
    if number < 0 { throw ProcessError(errno: -number, doing: "opening /dev/null") }
    return OwnedDescriptor(number)
  }

  /// Whether it is one, as it was made: not if another part of the program has closed it.
  package var isSocket: Bool {
    var found = stat()
    return fstat(number, &found) == 0 && found.st_mode & S_IFMT == S_IFSOCK
  }

  /// The mode belongs to the open file, not to the number: every process that shares the file sees it.
  package func setNonBlocking(_ nonBlocking: Bool = true) throws(ProcessError) {
    let flags = fcntl(number, F_GETFL)
    let wanted = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
    if flags < 0 || (flags != wanted && fcntl(number, F_SETFL, wanted) < 0) {
      throw ProcessError(errno: errno, doing: "setting a descriptor's mode")
    }
  }

  private static func pair(
    _ doing: String, _ make: (UnsafeMutablePointer<Int32>) -> Int32
  ) throws(ProcessError) -> (OwnedDescriptor, OwnedDescriptor) {
    var numbers: (Int32, Int32) = (-1, -1)
    let error = withUnsafeMutablePointer(to: &numbers) { pointer in
      pointer.withMemoryRebound(to: Int32.self, capacity: 2) { make($0) }
    }
    if error != 0 { throw ProcessError(errno: error, doing: doing) }
    return (OwnedDescriptor(numbers.0), OwnedDescriptor(numbers.1))
  }
}

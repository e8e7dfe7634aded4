import CApus
import Glibc

/// The folder that is this process's current one when this is made, for children that are started later: they are to
/// work where their siblings do, wherever the process has gone meanwhile, and whatever has become of the folder's name.
package final class WorkingFolder: Sendable {
  private let descriptor: OwnedDescriptor
  private let identity: Identity

  private struct Identity: Equatable {
    let device: UInt64
    let number: UInt64

    init(_ found: stat) { (device, number) = (UInt64(found.st_dev), UInt64(found.st_ino)) }
  }

  /// `O_PATH`, which Swift does not import: for a folder that may be entered and not be read.
  private static let pathOnly: Int32 = 0o10_000_000

  /// Nil if it can't be kept: children start in what is the current folder then.
  package init?() {
    let opened = open(".", Self.pathOnly | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else { return nil }
    defer { close(opened) }
    // Not the number of a standard stream that is closed.
    let kept = fcntl(opened, F_DUPFD_CLOEXEC, 3)
    guard kept >= 0 else { return nil }
    descriptor = OwnedDescriptor(kept)
    var found = stat()
    guard fstat(kept, &found) == 0 else { return nil }
    identity = Identity(found)
  }

  /// Its descriptor; -1 if somebody has closed that.
  var number: Int32 {
    isOurs ? descriptor.number : -1
  }

  /// Whether this process is there now. Another thread may go elsewhere at any time, so children enter it nevertheless; but
  /// a process that is in a folder may not have the right to enter it any more.
  var isCurrent: Bool {
    var found = stat()
    return stat(".", &found) == 0 && Identity(found) == identity
  }

  /// Whether the descriptor is still what it was.
  private var isOurs: Bool {
    var found = stat()
    return fstat(descriptor.number, &found) == 0 && Identity(found) == identity
  }

  // Else it is another file's by now.
  deinit { if !isOurs { _ = descriptor.take() } }
}

import Glibc

/// A file that is there whole or not at all: it gets its name when it is complete. However we end before, nothing is left of
/// it, but on a file system that knows no files without a name.
package final class WholeFile: @unchecked Sendable {
  // Sound: one thread at a time uses it.
  private let path: ByteString
  private let file: OwnedDescriptor
  /// Its name until then, if it needs one.
  private var temporary: ByteString?
  private var pending: [UInt8] = []

  /// - Throws: `FileError` if there can't be such a file: known now, and not after hours of work.
  package init(_ path: ByteString) throws(FileError) {
    self.path = path
    let slash = path.bytes.lastIndex(of: UInt8(ascii: "/"))
    let folder = slash.map { ByteString(path.bytes[...$0]) } ?? "."
    var information = stat()
    if path.withCString({ stat($0, &information) }) == 0 {
      let isFile = information.st_mode & S_IFMT == S_IFREG
      guard isFile, path.withCString({ access($0, W_OK) }) == 0 else {
        throw FileError(path, isFile ? errno : information.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
      }
    }
    // O_TMPFILE, with O_DIRECTORY in it: Swift does not see the macro.
    var number = folder.withCString { open($0, O_RDWR | O_CLOEXEC | 0o20_000_000 | O_DIRECTORY, 0o666) }
    if number < 0 {
      let name = ByteString("\(path).\(getpid()).tmp")
      number = name.withCString { open($0, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
      if number < 0 { throw FileError(path, errno) }
      temporary = name
    }
    file = OwnedDescriptor(number)
  }

  deinit { discard() }

  package func write(_ text: String) throws(FileError) {
    pending += text.utf8
    if pending.count >= Self.most { try flush() }
  }

  package func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    pending += bytes
    if pending.count >= Self.most { try flush() }
  }

  private static let most = 64 << 10

  /// Forgets what has been written.
  package func clear() {
    pending = []
    ftruncate(file.number, 0)
    lseek(file.number, 0, SEEK_SET)
  }

  private func flush() throws(FileError) {
    let error: Int32 = pending.withUnsafeBytes { bytes in
      var rest = UnsafeRawBufferPointer(rebasing: bytes[...])
      while !rest.isEmpty {
        let count = Glibc.write(file.number, rest.baseAddress, rest.count)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return count < 0 ? errno : ENOSPC }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
      }
      return 0
    }
    pending.removeAll(keepingCapacity: true)
    if error != 0 { throw FileError(path, error) }
  }

  /// Puts it in its place, and what was there before is gone.
  package func commit() throws(FileError) {
    try flush()
    if temporary == nil {
      let name = ByteString("\(path).\(getpid()).tmp")
      let linked = name.withCString { name in
        linkat(AT_FDCWD, "/proc/self/fd/\(file.number)", AT_FDCWD, name, AT_SYMLINK_FOLLOW)
      }
      if linked != 0 { throw FileError(path, errno) }
      temporary = name
    }
    let renamed = temporary!.withCString { old in path.withCString { rename(old, $0) } }
    if renamed != 0 { throw FileError(path, errno) }
    temporary = nil
  }

  /// Leaves what was there before.
  package func discard() {
    if let temporary { _ = temporary.withCString { unlink($0) } }
    temporary = nil
  }
}

/// A file or folder can't be written.
package struct FileError: Error, Sendable, Hashable, CustomStringConvertible {
  package let path: ByteString
  package let errno: Int32

  package init(_ path: ByteString, _ errno: Int32) { (self.path, self.errno) = (path, errno) }

  package var description: String {
    // No sentence of the system's fits a pipe, a device or a socket.
    let reason = errno == EINVAL ? "it is no plain file" : String(cString: strerror(errno))
    return "\(path) can't be written: \(reason)"
  }
}

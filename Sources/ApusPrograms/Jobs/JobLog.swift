package import ApusSystem
import CApus
import Glibc

/// What became of each job, a line of JSON each: for people, for other programs, and to go on with a run that was cut off.
///
/// The first line is the run's. Bytes that are not UTF-8 are written as Python's `os.fsdecode` has them: `\udc80` to `\udcff`.
package final class JobLog {
  /// What a log says of jobs that were done before.
  package struct Past {
    /// Those whose last try was a success, and those whose was not.
    package var (succeeded, failed): (Set<JobIdentity>, Set<JobIdentity>) = ([], [])
  }

  package enum Mode: Sendable, Hashable {
    /// There must be no log yet.
    case new
    /// Jobs that have succeeded are not run again.
    case resume
    /// Those alone are run that have failed.
    case retryFailed
  }

  private let file: OwnedDescriptor
  private let path: ByteString
  private let mode: Mode
  private let isReadOnly: Bool
  private var size: off_t
  package private(set) var past = Past()

  private static let mark = "{\"apus\":\"run\",\"version\":1,\"command\":"

  /// - Throws: `ProgramProblem` if there is another file in its place, if it is the log of another command, or if it can't be
  ///   read or written. The file is as it was then.
  ///
  /// - Parameter isReadOnly: Whether nothing is to be noted: then it must be there.
  package init(
    _ path: ByteString, command: [ByteString], mode: Mode, isReadOnly: Bool = false
  ) throws(ProgramProblem) {
    (self.path, self.mode, self.isReadOnly) = (path, mode, isReadOnly)
    // What has failed must be known already; all others may be the first run.
    let creates = mode == .retryFailed ? 0 : O_CREAT
    let flags = isReadOnly ? O_RDONLY : O_RDWR | O_APPEND | creates
    let number = path.withCString { open($0, flags | O_CLOEXEC | O_NOCTTY, 0o666) }
    if number < 0 {
      throw .file("the log \(path) can't be opened: \(String(cString: strerror(errno)))")
    }
    file = OwnedDescriptor(number)
    // Two runs would do the same jobs.
    if !isReadOnly, flock(number, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
      throw .file("the log \(path) is that of a run that goes on")
    }
    size = 0
    let first = Self.mark + JobFacts.json(command) + "}\n"
    var information = stat()
    fstat(number, &information)
    if information.st_size > 0 {
      try read(first, mode)
    } else if !isReadOnly {
      try write(first)
    }
  }

  /// Whether a job is not to be run: it has succeeded before, or, if those alone are wanted that have failed, has not failed.
  func hasDone(_ job: JobIdentity) -> Bool {
    switch mode {
    case .new: false
    case .resume: past.succeeded.contains(job)
    case .retryFailed: !past.failed.contains(job)
    }
  }

  // MARK: Reading

  private func read(_ first: String, _ mode: Mode) throws(ProgramProblem) {
    if mode == .new {
      throw .file(
        "the log \(path) is there already: go on with that run (--resume, --retry-failed), or remove it or name another"
      )
    }
    let lines = LogLines(file.number)
    guard let found = lines.next() else {
      // It was cut off in its first line.
      guard first.hasPrefix(lines.rest), !lines.rest.isEmpty, !isReadOnly, ftruncate(file.number, 0) == 0
      else {
        throw .file("\(path) is no log of apus run; it is left as it is")
      }
      return try write(first)
    }
    guard found.hasPrefix(Self.mark) else {
      throw .file("\(path) is no log of apus run; it is left as it is")
    }
    guard found + "\n" == first else {
      throw .file("the log \(path) is that of another command: name another file for this one's")
    }
    size = lines.end
    var number = 1
    while let line = lines.next() {
      number += 1
      guard let (identity, isSuccess) = Self.parse(line) else {
        throw .file(
          "line \(number) of the log \(path) is damaged; it is left as it is. Remove the line to go on without it"
        )
      }
      if isSuccess {
        past.succeeded.insert(identity)
        past.failed.remove(identity)
      } else if !past.succeeded.contains(identity) {
        past.failed.insert(identity)
      }
      size = lines.end
    }
    // The run was cut off in the middle of a line: what was not written was not done.
    if !isReadOnly, ftruncate(file.number, size) != 0 {
      throw .file("the log \(path) can't be written: \(String(cString: strerror(errno)))")
    }
  }

  /// The identity of a line's job, and whether it was a success: they stand first, in one form.
  private static func parse(_ line: String) -> (JobIdentity, Bool)? {
    guard line.hasPrefix("{\"job\":\""), line.hasSuffix("}") else { return nil }
    let rest = line.dropFirst(8)
    guard let identity = JobIdentity(rest.prefix(32)) else { return nil }
    if rest.dropFirst(32).hasPrefix("\",\"ok\":true,") { return (identity, true) }
    if rest.dropFirst(32).hasPrefix("\",\"ok\":false,") { return (identity, false) }
    return nil
  }

  // MARK: Writing

  /// Notes how a try of a job has ended: the line that `JobFacts` makes of it.
  package func note(_ line: String) throws(ProgramProblem) { try write(line) }

  /// All of it or nothing.
  private func write(_ text: String) throws(ProgramProblem) {
    var text = text
    let error: Int32 = text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = Glibc.write(file.number, rest.baseAddress, rest.count)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return count < 0 ? errno : ENOSPC }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
      }
      return 0
    }
    if error != 0 {
      ftruncate(file.number, size)
      throw .file("the log \(path) can't be written: \(String(cString: strerror(error)))")
    }
    size += off_t(text.utf8.count)
  }

}

/// The whole lines of a file, and where the last one that was read ends.
private final class LogLines {
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  private var used = 0
  private var offset: off_t = 0
  private(set) var end: off_t = 0

  /// What stands behind the last line.
  var rest: String { String(decoding: buffer[used...], as: UTF8.self) }

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  func next() -> String? {
    var searched = used
    while true {
      if let newline = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer {
          end += off_t(newline + 1 - used)
          used = newline + 1
        }
        return String(decoding: buffer[used..<newline], as: UTF8.self)
      }
      buffer.removeFirst(used)
      used = 0
      searched = buffer.count
      var chunk = [UInt8](repeating: 0, count: 64 << 10)
      let count = pread(descriptor, &chunk, chunk.count, offset)
      guard count > 0 else { return nil }
      offset += off_t(count)
      buffer += chunk[..<count]
    }
  }
}

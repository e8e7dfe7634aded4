import CApus
import Glibc

/// What a program printed, kept until it is its turn: the beginning in memory, if that is wanted, and the rest in a file
/// without a name, of which nothing is left however we end.
package final class KeptOutput: @unchecked Sendable {
  // Sound: one thread at a time uses it: it is written by the thread that drains a relay, and printed by the same one.
  private let memoryLimit: Int
  private var memory: [UInt8] = []
  private var file: OwnedDescriptor?
  /// How much there is, and how much of it is printed.
  package private(set) var count = 0
  private var printed = 0

  /// - Parameter memoryLimit: How many bytes are kept in memory. 0: the file is made at once.
  package init(memoryLimit: Int = 0) throws(ProcessError) {
    self.memoryLimit = memoryLimit
    if memoryLimit == 0 { file = try Self.makeFile() }
  }

  private static func makeFile() throws(ProcessError) -> OwnedDescriptor {
    // As it is: it need not be UTF-8.
    let number = getenv("TMPDIR").map { apus_unnamed_file($0) } ?? apus_unnamed_file("/tmp")
    if number < 0 { throw ProcessError(errno: -number, doing: "keeping the output of a program") }
    return OwnedDescriptor(number)
  }

  /// Returns 0, or the errno of a loss: what does not fit (a full disk) is gone.
  package func write(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    if file == nil {
      if memory.count + bytes.count <= memoryLimit {
        memory.append(contentsOf: bytes)
        count += bytes.count
        return 0
      }
      do throws(ProcessError) { file = try Self.makeFile() } catch { return error.errno }
    }
    var rest = bytes
    while !rest.isEmpty {
      let written = Glibc.write(file!.number, rest.baseAddress, rest.count)
      if written < 0 && errno == EINTR { continue }
      if written <= 0 { return written < 0 ? errno : ENOSPC }
      count += written
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
    }
    return 0
  }

  /// Passes on what there is and was not yet, as much as the target takes. Whether that was all.
  package func print(to target: LineTarget) -> Bool {
    if target.isCongested { return printed == count }
    if printed < memory.count {
      memory.withUnsafeBytes { target.write(UnsafeRawBufferPointer(rebasing: $0[printed...])) }
      printed = memory.count
    }
    guard printed < count, let file else { return true }
    return withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 16) { chunk in
      while printed < count, !target.isCongested {
        let count = pread(file.number, chunk.baseAddress, chunk.count, off_t(printed - memory.count))
        if count < 0 && errno == EINTR { continue }
        if count <= 0 {
          // There is more, and it can't be had.
          target.noteLoss(count < 0 ? errno : EIO)
          return true
        }
        target.write(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
        printed += count
      }
      return printed == count
    }
  }

  /// Forgets all that was not printed.
  package func clear() {
    (memory, file, count, printed) = ([], memoryLimit == 0 ? file : nil, 0, 0)
    if let file {
      ftruncate(file.number, 0)
      lseek(file.number, 0, SEEK_SET)
    }
  }
}

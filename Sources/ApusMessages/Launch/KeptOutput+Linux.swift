import ApusSystem
import CApus
import Glibc

/// What a rank printed, kept until it is its turn: in a file without a name, of which nothing is left however we end.
final class KeptOutput: Sendable {
  private let file: OwnedDescriptor

  init() throws(ProcessError) {
    // As it is: it need not be UTF-8.
    let number = getenv("TMPDIR").map { apus_unnamed_file($0) } ?? apus_unnamed_file("/tmp")
    if number < 0 { throw ProcessError(errno: -number, doing: "keeping the output of a rank") }
    file = OwnedDescriptor(number)
  }

  /// Returns 0, or the errno of a loss: what does not fit (a full disk) is gone.
  func write(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    var rest = bytes
    while !rest.isEmpty {
      let count = Glibc.write(file.number, rest.baseAddress, rest.count)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { return count < 0 ? errno : ENOSPC }
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
    }
    return 0
  }

  /// Passes on what there is from `offset`, as much as the target takes. Whether that was all.
  func print(from offset: inout Int, to target: LineTarget) -> Bool {
    withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 16) { chunk in
      while !target.isCongested {
        let count = pread(file.number, chunk.baseAddress, chunk.count, off_t(offset))
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return true }
        target.write(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
        offset += count
      }
      return false
    }
  }
}

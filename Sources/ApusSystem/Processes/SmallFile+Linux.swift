import Glibc

/// The text of a file of the kernel's, or `nil` if it cannot be read.
///
/// Such files have no size to ask for, and must not decide how much memory we take: reading ends at the limit.
package func readSmallFile(_ path: String, limit: Int = 1 << 20) -> String? {
  let number = open(path, O_RDONLY | O_CLOEXEC)
  if number < 0 { return nil }
  let file = OwnedDescriptor(number)
  var bytes: [UInt8] = []
  return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { chunk in
    while bytes.count < limit {
      let count = read(file.number, chunk.baseAddress, min(chunk.count, limit - bytes.count))
      if count < 0 && errno == EINTR { continue }
      if count < 0 { return nil }
      if count == 0 { break }
      bytes.append(contentsOf: chunk[..<count])
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// What is in a folder; nothing if it can't be read.
package func names(in path: String) -> [String] {
  guard let folder = opendir(path) else { return [] }
  defer { closedir(folder) }
  var names: [String] = []
  while let entry = readdir(folder) {
    names.append(
      withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      })
  }
  return names
}

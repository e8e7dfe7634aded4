import Glibc

/// A process's state as /proc tells it: R, S, T (stopped), Z; nil if there is none.
func state(of process: Int32) -> Character? {
  guard let text = readFile("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return nil }
  return text[end...].dropFirst(2).first
}

/// A small file's text.
func readFile(_ path: String) -> String? {
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { return nil }
  defer { close(file) }
  var bytes: [UInt8] = []
  var piece = [UInt8](repeating: 0, count: 16 << 10)
  while true {
    let count = read(file, &piece, piece.count)
    if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
    bytes += piece[..<count]
  }
}

/// The names in a folder.
func names(in folder: String) -> [String] {
  guard let listing = opendir(folder) else { return [] }
  defer { closedir(listing) }
  var names: [String] = []
  while let entry = readdir(listing) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names
}

/// How many pipes, sockets and processes this process has descriptors of. Dispatch makes none of these when it is first used.
func connections() -> Int {
  names(in: "/proc/self/fd").count { name in
    var target = [UInt8](repeating: 0, count: 256)
    let length = target.withUnsafeMutableBytes { bytes in
      readlink("/proc/self/fd/\(name)", bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
    }
    let text = String(decoding: target.prefix(max(0, length)), as: UTF8.self)
    return ["pipe:", "socket:", "anon_inode:[pidfd]"].contains { text.hasPrefix($0) }
  }
}

import ApusCore
import Glibc

/// The threads of this process.
enum OwnThreads {
  /// How many there are besides those that Apus has started for itself.
  static var count: Int {
    guard let folder = opendir("/proc/self/task") else { return .max }
    defer { closedir(folder) }
    var count = 0
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.hasPrefix(".") { continue }
      let thread = readSmallFile("/proc/self/task/\(name)/comm") ?? ""
      if !thread.hasPrefix("apus-") { count += 1 }
    }
    return count
  }
}

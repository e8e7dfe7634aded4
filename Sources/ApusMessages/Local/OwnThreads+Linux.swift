import ApusSystem
import Glibc

/// The threads of this process.
enum OwnThreads {
  /// How many threads there are, without those of Apus that never call anything of the program's.
  static var count: Int {
    guard let folder = opendir("/proc/self/task") else { return .max }
    defer { closedir(folder) }
    var count = 0
    while let entry = readdir(folder) {
      // An entry is as long as its name, and not as its type.
      let place = UnsafeRawPointer(entry) + MemoryLayout<dirent>.offset(of: \.d_name)!
      let name = String(cString: place.assumingMemoryBound(to: CChar.self))
      if name.hasPrefix(".") { continue }
      let thread = readSmallFile("/proc/self/task/\(name)/comm") ?? ""
      if thread != "apus-lifeline\n", thread != "apus-progress\n" { count += 1 }
    }
    return count
  }
}

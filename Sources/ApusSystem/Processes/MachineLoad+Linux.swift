import Glibc

/// How busy the machine is.
package enum MachineLoad {
  /// Bytes that programs can have without others being swapped out, of the machine or of our control group.
  package static var freeMemory: UInt64? {
    guard let text = readSmallFile("/proc/meminfo"),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }),
      let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ UInt64($0) })
    else { return nil }
    return kibibytes << 10
  }

  /// How many processes ran or wanted to, in the mean of the last minute.
  package static var load: Double {
    var load = 0.0
    return getloadavg(&load, 1) == 1 ? load : 0
  }
}

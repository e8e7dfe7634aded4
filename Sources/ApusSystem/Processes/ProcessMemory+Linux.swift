import Glibc

/// How much memory processes hold.
package enum ProcessMemory {
  /// Bytes of private and shared memory that a process and its descendants hold; files that are mapped do not count, since
  /// the kernel can take them back. Nil if the process is gone.
  ///
  /// What a fork shares with its parent is in the count of both. So if that exceeds `limit`, pages are counted by their
  /// share, for which the kernel has to go through all of them.
  package static func held(by process: Int32, limit: UInt64 = .max) -> UInt64? {
    let family = family(of: process)
    guard let whole = sum(family, resident) else { return nil }
    guard whole > limit, family.count > 1 else { return whole }
    return sum(family, proportional) ?? whole
  }

  /// The same of this process alone.
  package static var own: UInt64 { resident("self") ?? 0 }

  private static func sum(_ family: [Int32], _ measure: (String) -> UInt64?) -> UInt64? {
    guard let first = family.first.flatMap({ measure("\($0)") }) else { return nil }
    return family.dropFirst().reduce(first) { $0 + (measure("\($1)") ?? 0) }
  }

  /// A process and its descendants, as far as the kernel tells them (CONFIG_PROC_CHILDREN).
  private static func family(of process: Int32) -> [Int32] {
    var family = [process]
    var next = 0
    while next < family.count, family.count < 1000 {
      for thread in threads(of: family[next]) {
        guard let line = readSmallFile("/proc/\(family[next])/task/\(thread)/children") else { continue }
        family += line.split(separator: " ").compactMap { Int32($0) }
      }
      next += 1
    }
    return family
  }

  private static func threads(of process: Int32) -> [Int32] {
    names(in: "/proc/\(process)/task").compactMap { Int32($0) }
  }

  private static func resident(_ process: String) -> UInt64? {
    readSmallFile("/proc/\(process)/status").map { sum($0, of: ["RssAnon:", "RssShmem:"]) }
  }

  private static func proportional(_ process: String) -> UInt64? {
    readSmallFile("/proc/\(process)/smaps_rollup").map { sum($0, of: ["Pss_Anon:", "Pss_Shmem:"]) }
  }

  /// Lines such as `RssAnon:     1234 kB`, in bytes.
  private static func sum(_ text: String, of names: [String]) -> UInt64 {
    var total: UInt64 = 0
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      guard let name = names.first(where: { line.starts(with: $0.utf8) }) else { continue }
      var value: UInt64 = 0
      for byte in line.dropFirst(name.utf8.count) where byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
      {
        value = value &* 10 &+ UInt64(byte &- UInt8(ascii: "0"))
      }
      total += value << 10
    }
    return total
  }
}

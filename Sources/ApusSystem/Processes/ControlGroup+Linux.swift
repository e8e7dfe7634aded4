/// The limits of the control groups (cgroups, versions 1 and 2) that this process is in.
package enum ControlGroup {
  /// The smallest quota from the process's own group up to the root, in whole processors, rounded up. `nil` if
  /// there is none, or if it cannot be read.
  ///
  /// - Parameter root: Where `/proc` and `/sys` are looked for; tests put their own there.
  package static func processorLimit(root: String = "") -> Int? {
    smallest("cpu", root: root, readQuota)
  }

  /// The smallest limit on memory, in bytes, in the same way.
  package static func memoryLimit(root: String = "") -> UInt64? {
    smallest("memory", root: root) { folder, isSecond in
      let limit = firstLine(of: folder + (isSecond ? "/memory.max" : "/memory.limit_in_bytes"))
      // "max", or the largest number of pages that fit: no limit.
      return limit.flatMap { UInt64($0) }.flatMap { $0 < 1 << 62 ? $0 : nil }
    }
  }

  private static func smallest<Limit: Comparable>(
    _ controller: String, root: String, _ read: (_ folder: String, _ isSecond: Bool) -> Limit?
  ) -> Limit? {
    folders(controller, root: root).compactMap { read($0.path, $0.isSecond) }.min()
  }

  /// The folders of the process's own group and of all above it, the own one last, in each hierarchy that may have the
  /// controller.
  static func folders(_ controller: String, root: String) -> [(path: String, isSecond: Bool)] {
    guard
      let groups = readSmallFile(root + "/proc/self/cgroup"),
      let mounts = readSmallFile(root + "/proc/self/mountinfo")
    else { return [] }
    let hierarchies = pieces(of: mounts[...], at: "\n").compactMap {
      Hierarchy(line: $0, controller: controller)
    }
    var found: [(path: String, isSecond: Bool)] = []
    for line in pieces(of: groups[...], at: "\n") {
      // "0::/path" for version 2, "4:cpu,cpuacct:/path" for version 1.
      let fields = pieces(of: line, at: ":", limit: 3)
      guard fields.count == 3 else { continue }
      let isSecond = fields[1].isEmpty
      guard isSecond || pieces(of: fields[1], at: ",").contains(Substring(controller)) else { continue }
      for hierarchy in hierarchies where hierarchy.isSecond == isSecond {
        found += hierarchy.folders(from: fields[2]).map { (root + $0, isSecond) }
      }
    }
    return found
  }

  private static func readQuota(_ folder: String, isSecond: Bool) -> Int? {
    if isSecond {
      // "max 100000" or "150000 100000".
      guard let text = firstLine(of: folder + "/cpu.max") else { return nil }
      let fields = pieces(of: text, at: " ")
      guard fields.count == 2 else { return nil }
      return processors(quota: Int(fields[0]), period: Int(fields[1]))
    }
    func number(_ name: String) -> Int? { firstLine(of: folder + name).flatMap { Int($0) } }
    // -1 stands for no quota.
    return processors(quota: number("/cpu.cfs_quota_us"), period: number("/cpu.cfs_period_us"))
  }

  private static func processors(quota: Int?, period: Int?) -> Int? {
    guard let quota, let period, quota > 0, period > 0 else { return nil }
    return (quota - 1) / period + 1
  }
}

/// The first line of a small file.
func firstLine(of path: String) -> Substring? {
  readSmallFile(path).flatMap { pieces(of: $0[...], at: "\n").first }
}

/// Splits by bytes: `split` on characters looks for grapheme breaks and took most of the time. Empty pieces are
/// left out, except when the number of pieces is limited.
private func pieces(of text: Substring, at separator: Unicode.Scalar, limit: Int? = nil) -> [Substring] {
  text.utf8.split(
    separator: UInt8(ascii: separator), maxSplits: (limit ?? Int.max) - 1,
    omittingEmptySubsequences: limit == nil
  ).map { Substring($0) }
}

/// A mounted hierarchy of control groups that can hold the limits of one controller.
private struct Hierarchy {
  let isSecond: Bool
  /// The group that is seen at the mount point: not the root in a container without a namespace of its own.
  let group: Substring
  let mountPoint: Substring

  /// From a line of mountinfo: `36 35 98:0 /group /mount/point rw,noatime shared:1 - cgroup2 source options`.
  init?(line: Substring, controller: String) {
    let fields = pieces(of: line, at: " ")
    guard fields.count > 6, let dash = fields[6...].firstIndex(of: "-"), fields.count > dash + 3 else {
      return nil
    }
    switch fields[dash + 1] {
    case "cgroup2": isSecond = true
    case "cgroup" where pieces(of: fields[dash + 3], at: ",").contains(Substring(controller)):
      isSecond = false
    default: return nil
    }
    group = fields[3]
    mountPoint = fields[4]
  }

  /// The folders of a process's group and of all groups above it, as far as they are mounted.
  func folders(from path: Substring) -> [String] {
    var inside = path
    if group != "/" {
      // Outside of what is mounted only the mount point is known.
      inside = path == group || path.hasPrefix(group + "/") ? path.dropFirst(group.count) : ""
    }
    var folder = String(mountPoint)
    var folders = [folder]
    for name in pieces(of: inside, at: "/") where name != ".." {
      folder += "/" + name
      folders.append(folder)
    }
    return folders
  }
}

import CApus
import Glibc
import Synchronization

/// A control group for one child, in which the kernel lets it and what it starts have so much memory.
///
/// Where such a group can be made: in a group of this process's own that it may write to (version 1, as root), or, of
/// version 2, where processes are in groups without others below, beside its own in a group that was delegated to it
/// (systemd: `Delegate=memory`, `DelegateSubgroup=`). Nowhere else: the child is not to leave the limits that this process
/// was given.
package final class MemoryGroup: Sendable {
  private let path: String
  private let isSecond: Bool

  private init(_ path: String, isSecond: Bool) { (self.path, self.isSecond) = (path, isSecond) }

  /// Makes a group for a process that has just been started; nil where that is not possible.
  ///
  /// - Parameter limit: Bytes, what the kernel keeps for the processes included. None of them goes to swap.
  package static func make(for process: Int32, limit: UInt64) -> MemoryGroup? {
    removeLeftovers()
    for (parent, isSecond) in places() {
      let number = made.add(1, ordering: .relaxed).newValue
      let group = MemoryGroup("\(parent)/apus-\(getpid())-\(number)", isSecond: isSecond)
      guard mkdir(group.path, 0o755) == 0 else { continue }
      if group.setLimit(limit), group.write("\(process)", to: "cgroup.procs") {
        // All of a task's processes, not the largest alone. Not in version 1.
        _ = group.write("1", to: "memory.oom.group")
        _ = group.write("0", to: isSecond ? "memory.swap.max" : "memory.swappiness")
        return group
      }
    }
    return nil
  }

  /// Whether one can be made here.
  package static var isPossible: Bool {
    places().contains { access($0.path, W_OK) == 0 }
  }

  /// The names of those that this process has made and that are still there.
  package static var own: [String] {
    places().flatMap { names(in: $0.path) }.filter { $0.hasPrefix("apus-\(getpid())-") }
  }

  private static let made = Atomic<Int>(0)

  /// Groups in which one may be made.
  ///
  /// - Parameter root: Where `/proc` and `/sys` are looked for; tests put their own there.
  static func places(root: String = "") -> [(path: String, isSecond: Bool)] {
    func controls(_ path: String) -> Bool {
      let words = firstLine(of: path + "/cgroup.subtree_control")?.split(separator: " ") ?? []
      return words.contains("memory")
    }
    let folders = ControlGroup.folders("memory", root: root)
    var places: [(path: String, isSecond: Bool)] = []
    if let own = folders.last(where: { !$0.isSecond }) { places.append(own) }
    let second = folders.filter(\.isSecond)
    if let own = second.last {
      if controls(own.path) {
        places.append(own)
      } else if let parent = second.dropLast().last, apus_is_delegated(parent.path), controls(parent.path) {
        places.append(parent)
      }
    }
    return places
  }

  /// Sets another limit. False if the kernel does not take it.
  @discardableResult
  package func setLimit(_ limit: UInt64) -> Bool {
    write("\(limit)", to: isSecond ? "memory.max" : "memory.limit_in_bytes")
  }

  /// Whether the kernel has ended a process because the limit was reached.
  package var wasExceeded: Bool {
    let text = readSmallFile(path + (isSecond ? "/memory.events" : "/memory.oom_control")) ?? ""
    return text.split(separator: "\n").contains { line in
      line.hasPrefix("oom_kill ") && line != "oom_kill 0"
    }
  }

  // MARK: Removing it

  /// To be tried again: a process in them was not gone yet.
  private static let leftovers = Locked<[String]>([])

  deinit { remove() }

  /// Once its process has ended.
  package func remove() {
    if rmdir(path) != 0, errno == EBUSY { Self.leftovers.withLock { $0.append(path) } }
  }

  /// Removes groups whose processes have gone meanwhile, and those that a program has left which was killed.
  package static func removeLeftovers() {
    leftovers.withLock { paths in paths.removeAll { rmdir($0) == 0 || errno != EBUSY } }
    for (parent, _) in places() {
      for name in names(in: parent) {
        let parts = name.split(separator: "-")
        guard parts.count == 3, parts[0] == "apus", let process = Int32(parts[1]), process != getpid() else {
          continue
        }
        // One that has a process stays.
        if kill(process, 0) != 0, errno == ESRCH { rmdir("\(parent)/\(name)") }
      }
    }
  }

  private func write(_ text: String, to name: String) -> Bool {
    let file = open("\(path)/\(name)", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return false }
    defer { close(file) }
    return Glibc.write(file, text, text.utf8.count) == text.utf8.count
  }
}

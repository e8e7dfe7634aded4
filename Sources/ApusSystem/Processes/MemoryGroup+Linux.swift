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
  /// A fork of this process has no groups here.
  private let owner = getpid()

  private init(_ path: String, isSecond: Bool) { (self.path, self.isSecond) = (path, isSecond) }

  deinit { remove() }

  /// Makes a group for a process that has just been started; nil where that is not possible.
  ///
  /// - Parameter limit: Bytes, what the kernel keeps for the processes included. None of them goes to swap.
  package static func make(for process: Int32, limit: UInt64) -> MemoryGroup? {
    retryLeftovers()
    for (parent, isSecond) in places() {
      guard let group = make(in: parent, isSecond) else { continue }
      if group.setLimit(limit), group.write("\(process)", to: "cgroup.procs") {
        // All of a task's processes, not the largest alone. Not in version 1.
        _ = group.write("1", to: "memory.oom.group")
        _ = group.write("0", to: isSecond ? "memory.swap.max" : "memory.swappiness")
        return group
      }
    }
    return nil
  }

  /// The process that has made a group of that name, if it is one of ours.
  private static func owner(of name: String) -> Int32? {
    let parts = name.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "apus", Int(parts[2]) != nil else { return nil }
    return Int32(parts[1])
  }

  private static let made = Atomic<Int>(0)
  private static let prefix = "apus-"

  private static func make(in parent: String, _ isSecond: Bool) -> MemoryGroup? {
    // An earlier program with our number may have left some.
    for _ in 0..<100 {
      let number = made.add(1, ordering: .relaxed).newValue
      let path = "\(parent)/\(prefix)\(getpid())-\(number)"
      if mkdir(path, 0o755) == 0 { return MemoryGroup(path, isSecond: isSecond) }
      guard errno == EEXIST else { return nil }
      rmdir(path)
    }
    return nil
  }

  /// Groups in which one may be made.
  ///
  /// - Parameter root: Where `/proc` and `/sys` are looked for; tests put their own there.
  package static func places(root: String = "") -> [(path: String, isSecond: Bool)] {
    func controls(_ path: String) -> Bool {
      let words = firstLine(of: path + "/cgroup.subtree_control")?.split(separator: " ") ?? []
      return words.contains("memory")
    }
    let folders = ControlGroup.folders("memory", root: root)
    var places: [(path: String, isSecond: Bool)] = []
    if let own = folders.last(where: { !$0.isSecond }) { places.append(own) }
    let second = folders.filter(\.isSecond)
    if let own = second.last {
      // A worker that has workers must not let them out of its own limit.
      let isOurs = own.path.split(separator: "/").last.map { owner(of: String($0)) != nil } ?? false
      if controls(own.path) {
        places.append(own)
      } else if !isOurs, let parent = second.dropLast().last, apus_is_delegated(parent.path),
        controls(parent.path)
      {
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

  /// How many bytes it holds, as the kernel counts.
  package var held: UInt64? {
    firstLine(of: path + (isSecond ? "/memory.current" : "/memory.usage_in_bytes")).flatMap { UInt64($0) }
  }

  /// How many processes the kernel has ended because the limit was reached.
  package var kills: Int { Self.kills(in: path, isSecond) }

  private static func kills(in path: String, _ isSecond: Bool) -> Int {
    let text = readSmallFile(path + (isSecond ? "/memory.events" : "/memory.oom_control")) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
    return line.flatMap { Int($0.dropFirst(9)) } ?? 0
  }

  /// The same of the group that the parent has made for this process; nil if it has none.
  package static func killsOfOwnGroup() -> (() -> Int)? {
    let folder = ControlGroup.folders("memory", root: "").last { folder in
      folder.path.split(separator: "/").last.flatMap { owner(of: String($0)) } == getppid()
    }
    return folder.map { folder in { kills(in: folder.path, folder.isSecond) } }
  }

  private func write(_ text: String, to name: String) -> Bool {
    guard owner == getpid() else { return false }
    let file = open("\(path)/\(name)", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return false }
    defer { close(file) }
    return Glibc.write(file, text, text.utf8.count) == text.utf8.count
  }

  // MARK: Removing it

  /// To be tried again: a process in them was not gone yet.
  private static let leftovers = Leftovers()

  private final class Leftovers: @unchecked Sendable {
    // Sound: under its lock.
    let lock = ForkLock()
    var paths: [String] = []
    init() { lock.inFork = { [unowned self] in paths = [] } }
  }

  /// Once its process has ended.
  package func remove() {
    guard owner == getpid(), !Self.remove(path), errno == EBUSY else { return }
    Self.leftovers.lock.withLock {
      if !Self.leftovers.paths.contains(path) { Self.leftovers.paths.append(path) }
    }
  }

  /// With what workers of a worker have left in it, which were killed together.
  private static func remove(_ path: String) -> Bool {
    for name in names(in: path) where name.hasPrefix(prefix) { _ = remove("\(path)/\(name)") }
    return rmdir(path) == 0
  }

  private static func retryLeftovers() {
    leftovers.lock.withLock { leftovers.paths.removeAll { remove($0) || errno != EBUSY } }
  }

  /// Removes groups whose processes have gone meanwhile, and those that a program has left which was killed.
  package static func removeLeftovers() {
    retryLeftovers()
    for (parent, _) in places() {
      for name in names(in: parent) {
        guard let process = owner(of: name) else { continue }
        // One that has a process stays.
        if kill(process, 0) != 0, errno == ESRCH { _ = remove("\(parent)/\(name)") }
      }
    }
  }
}

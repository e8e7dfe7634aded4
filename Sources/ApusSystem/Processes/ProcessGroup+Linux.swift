/// Who is in a process group.
enum ProcessGroup {
  /// Those that run: zombies are left out, since nobody can end them.
  ///
  /// Reads a file of each process of the machine: only where there is reason to think that somebody is there.
  static func members(of group: Int32) -> [Int32] {
    names(in: "/proc").compactMap { Int32($0) }.filter { isMember($0, of: group) }
  }

  private static func isMember(_ process: Int32, of group: Int32) -> Bool {
    // `4711 (name) S parent group …`; the name may hold anything.
    guard let text = readSmallFile("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else {
      return false
    }
    let words = text[text.index(after: end)...].split(separator: " ", maxSplits: 3)
    guard words.count > 2, Int32(words[2]) == group else { return false }
    return words[0] != "Z" && words[0] != "X"
  }
}

import Glibc

/// Memory in pages of 2 MiB, for a process of which others are forked: a fork copies its page tables, which takes some 90 ms for
/// each GiB in pages of 4 KiB, and less than one in these.
package enum HugePages {
  private static let size: UInt = 2 << 20
  /// Linux's since 6.1.
  private static let collapse: Int32 = 25

  /// Has the kernel put what this process has of its own into such pages, if it is much. It does as much as it can.
  ///
  /// - Parameter least: Bytes that are not worth it.
  package static func take(unlessBelow least: UInt = 64 << 20) {
    guard let text = readSmallFile("/proc/self/smaps", limit: 64 << 20) else { return }
    let ranges = full(text)
    if ranges.reduce(0, { $0 + UInt($1.count) }) < least { return }
    for range in ranges {
      madvise(UnsafeMutableRawPointer(bitPattern: range.lowerBound), range.count, collapse)
    }
  }

  /// Where such pages would find the memory in use, and little is in them yet. (Whole pages count as used: a range of which much
  /// is not would take more memory than it does.)
  static func full(_ smaps: String) -> [Range<UInt>] {
    var found: [Range<UInt>] = []
    var range: Range<UInt>?
    for line in smaps.split(separator: "\n") {
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      if words.count >= 5, let (start, end) = addresses(words[0]) {
        let isOwn = words[1] == "rw-p" && words[4] == "0" && (words.count == 5 || words[5] == "[heap]")
        let first = (start + size - 1) / size * size
        range = isOwn && first < end / size * size ? first..<end / size * size : nil
      } else if let candidate = range, words.count >= 2, let kibibytes = UInt(words[1]) {
        if words[0] == "Rss:", kibibytes << 10 < UInt(candidate.count) / 8 * 7 { range = nil }
        if words[0] == "AnonHugePages:", kibibytes << 10 < UInt(candidate.count) / 2 { found.append(candidate) }
      }
    }
    return found
  }

  private static func addresses(_ word: Substring) -> (UInt, UInt)? {
    let parts = word.split(separator: "-")
    guard parts.count == 2, let start = UInt(parts[0], radix: 16), let end = UInt(parts[1], radix: 16) else { return nil }
    return (start, end)
  }
}

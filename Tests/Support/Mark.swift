import Glibc

/// A mark in the environment, which all that a run starts inherits.
public struct Mark: Sendable {
  /// `NAME=value`.
  public let entry = "APUS_TEST_MARK=\(UInt64.random(in: 0 ... .max))"

  /// A mark of its own.
  public init() {}

  /// The processes that have it. Zombies have no environment any more.
  public var processes: [Int32] {
    guard let folder = opendir("/proc") else { return [] }
    defer { closedir(folder) }
    var found: [Int32] = []
    while let item = readdir(folder) {
      let name = withUnsafeBytes(of: item.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard let process = Int32(name), isIn(process) else { continue }
      found.append(process)
    }
    return found
  }

  /// The processes that are left and stay. What was killed may take a moment to be gone: a second is enough.
  public func left() async -> [Int32] {
    var left = processes
    for _ in 0..<500 {
      if left.isEmpty { break }
      try? await Task.sleep(for: .milliseconds(2))
      left = processes
    }
    for process in left { kill(process, SIGKILL) }
    return left
  }

  private func isIn(_ process: Int32) -> Bool {
    let number = open("/proc/\(process)/environ", O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { return false }
    defer { close(number) }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64 * 1024) { buffer in
      let count = read(number, buffer.baseAddress, buffer.count - 1)
      guard count > 0 else { return false }
      buffer[count] = 0
      var at = 0
      // String by string, in C: the tests look at all processes again and again.
      while at < count {
        if strcmp(buffer.baseAddress! + at, entry) == 0 { return true }
        at += strlen(buffer.baseAddress! + at) + 1
      }
      return false
    }
  }
}

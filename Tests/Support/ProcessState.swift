import Glibc

/// The letter that the kernel has for what a process does: `S` sleeps, `T` is stopped, `Z` is a zombie.
public func state(of process: Int32) -> Character? {
  guard let file = fopen("/proc/\(process)/stat", "re") else { return nil }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 1024)
  guard fgets(&line, Int32(line.count), file) != nil else { return nil }
  let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return text.split(separator: ")").last?.first { $0 != " " }
}

/// Whether a process is gone, or a zombie: in a container, maybe nobody ever reaps it.
public func hasEnded(_ process: Int32) -> Bool { [nil, "Z"].contains(state(of: process)) }

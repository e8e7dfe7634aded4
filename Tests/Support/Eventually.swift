/// Seconds after which something hangs, however busy the machine is.
public let hung = 500

/// Waits until something is so, without a word about how long that takes.
public func eventually(_ condition: () -> Bool) async -> Bool {
  for _ in 0..<hung * 500 {
    if condition() { return true }
    try? await Task.sleep(for: .milliseconds(2))
  }
  return condition()
}
